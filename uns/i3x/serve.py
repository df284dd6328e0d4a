"""The i3X server's process: plant, feed, past and HTTP put together."""

import socket
from pathlib import Path as FilePath

import structlog
import uvicorn
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.codec import Codec
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from uns.client.subscribe import Begin, Subscription
from uns.errors import UserError
from uns.history.historian import Historian, config_of
from uns.i3x.app import create
from uns.i3x.feed import Feed
from uns.i3x.history import HistorianPast, KafkaPast, Past
from uns.i3x.server import Server
from uns.i3x.space import STREAM_CLASSES
from uns.i3x.subscriptions import Limits
from uns.runtime import clock, stopping, telemetry
from uns.runtime.access import Access, loopback
from uns.runtime.settings import Settings

log = structlog.get_logger()

BACK_US = 48 * 3600 * 1_000_000
"""How far back the newest record of a stream is looked for, by Kafka's time."""


def serve(
    settings: Settings,
    plant: Plant,
    codec: Codec,
    port: int,
    access: Access,
    limits: Limits,
    historian: str | None = None,
    tls: tuple[FilePath, FilePath] | None = None,
) -> None:
    """Runs until SIGTERM; answers even while Kafka is away, with what it knew. Raises `UserError`."""
    if not access.required and not loopback(settings.bind):
        raise UserError(
            f"without credentials the i3X server listens on this machine only, not on {settings.bind}; give --credentials"
        )
    telemetry.configure_logs(settings)
    stopping.end_in_order()
    listener = _listen(settings.bind, port)
    now = clock.from_spec(settings.clock)
    server = Server(plant, now, limits)
    feed = Feed(server, lambda: _subscription(settings, codec))
    REGISTRY.register(ServerMetrics(server))
    telemetry.serve(
        settings.bind,
        settings.metrics_port,
        live=lambda: () if feed.alive() else ("the feed has ended",),
        ready=lambda: (feed.problem,) if feed.problem else (),
    )
    certificate, key = tls or (None, None)
    app = create(server, _past(settings, plant, codec, historian), access)
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        ws="none",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    feed.start()
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        feed.stop()


def _subscription(settings: Settings, codec: Codec) -> Subscription:
    recent = (clock.system() - BACK_US) // 1000
    classes = [MessageClass.CURRENT, *(MessageClass(name) for name in STREAM_CLASSES)]
    begin: dict[MessageClass, Begin] = dict.fromkeys(classes, recent) | {MessageClass.CURRENT: "beginning"}
    return Subscription(settings, codec, [Filter.parse("#")], classes, begin)


def _past(settings: Settings, plant: Plant, codec: Codec, name: str | None) -> Past:
    config = config_of(plant, name)
    return KafkaPast(settings, codec) if config is None else HistorianPast(Historian(config))


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise UserError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from error


class ServerMetrics(Collector):
    """What waits with subscriptions, and what had no room."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def collect(self) -> list[Metric]:
        with self._server.lock:
            subscriptions = self._server.subscriptions
            many, dropped = len(subscriptions), subscriptions.dropped
            waiting, objects = sum(each.held for each in subscriptions), len(self._server.space)
        return [
            GaugeMetricFamily("uns_i3x_objects", "Objects of the address space.", objects),
            GaugeMetricFamily("uns_i3x_subscriptions", "Subscriptions that are open.", many),
            GaugeMetricFamily("uns_i3x_waiting_updates", "Updates that wait for their clients.", waiting),
            CounterMetricFamily("uns_i3x_dropped_updates", "Updates that had no room in a full queue.", dropped),
        ]
