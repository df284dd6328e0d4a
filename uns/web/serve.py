"""The page's process: screens, their feed, what people tell, and the server put together."""

import asyncio
from collections.abc import Sequence

import structlog
import uvicorn

from processors.inputs.admission import Admission
from schemas.codec import Codec
from schemas.records import Fact
from topology.model.loader import PlantError, load
from topology.model.plant import Plant
from topology.model.timing import Time
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from uns.client.subscribe import Begin, Subscription
from uns.engine.config import EngineConfig
from uns.kafka import clients
from uns.kafka.publish import NotPublished, publish
from uns.runtime import clock, stopping, telemetry
from uns.runtime.running import environment
from uns.runtime.settings import Settings
from uns.web.acknowledge import acknowledge
from uns.web.app import Site, create
from uns.web.deed import Tell
from uns.web.feed import Feed
from uns.web.namespace import Namespace
from uns.web.pulse import Pulse, committed
from uns.web.screen import Forgetful, pictured, registered
from uns.web.zones import zones

log = structlog.get_logger()

MARGIN_S = 15.0
"""Beyond the longest pause between two snapshots."""
RECENT_US = 24 * 3600 * 1_000_000
LASTING = (MessageClass.CURRENT, MessageClass.ALERT)


GOODBYE_S = 3
"""For browsers to take their leave when the process is told to stop."""
MESSAGE_MAX = 16 * 1024
"""Bytes that a browser may say at once."""


def serve(settings: Settings, codec: Codec, port: int, host_names: Sequence[str] = ()) -> None:
    """Runs until the process is told to stop. The page answers even while Kafka is away, and says so. `host_names`: what
    browsers may call it by, beside addresses and this machine's own name."""
    telemetry.configure_logs(settings)
    stopping.end_in_order()
    plant = _plant(settings)
    namespace = Namespace(order=() if plant is None else tuple(str(path) for path in plant.cells()))
    screens = pictured(registered(), plant)
    classes = tuple(dict.fromkeys([MessageClass.CURRENT, *(c for spec, _ in screens.values() for c in spec.classes)]))

    def subscription() -> Subscription:
        # Snapshots and alerts are true until replaced, however old; of the rest the screens show the recent past only.
        recent = (clock.system() - RECENT_US) // 1000
        begin: dict[MessageClass, Begin] = {name: "beginning" if name in LASTING else recent for name in classes}
        return Subscription(settings, codec, [Filter.parse("#")], classes, begin)

    provisional_s = (plant.time if plant else Time()).provisional_s
    limit_s = provisional_s / clock.rate_of(settings.clock) + MARGIN_S
    pictures = list({id(picture): picture for _, picture in screens.values()}.values())
    feed = Feed(
        [namespace.apply, *(picture.apply for picture in pictures)],
        subscription,
        limit_s,
        [namespace.remove, *(picture.remove for picture in pictures if isinstance(picture, Forgetful))],
    )
    telemetry.serve(
        settings.bind,
        settings.metrics_port,
        live=lambda: [] if feed.alive() else ["the feed has ended"],
        ready=lambda: [trouble] if (trouble := feed.trouble()) else [],
    )
    site = Site(
        screens,
        namespace,
        feed,
        _tell(settings, codec, plant),
        clock.from_spec(settings.clock),
        rate=clock.rate_of(settings.clock),
        zones=zones(plant),
        acts={"acknowledge": acknowledge},
        host_names=host_names,
        troubles=tuple if plant is None else _pulse(settings, plant).troubles,
    )
    run(site, settings.bind, port)


def _tell(settings: Settings, codec: Codec, plant: Plant | None) -> Tell:
    admission = None if plant is None else Admission(plant)

    async def tell(path: str, fact: Fact) -> str | None:
        if admission is not None and (refused := admission.whole_refusal(path, fact)) is not None:
            return refused.message
        try:
            await asyncio.to_thread(publish, settings, codec, Path.parse(path), fact, "uns-page")
        except NotPublished as error:
            return str(error)
        return None

    return tell


def _pulse(settings: Settings, plant: Plant) -> Pulse:
    group = EngineConfig().group or f"uns-processors-{plant.enterprise}"
    pulse = Pulse(committed(clients.admin(settings), group), plant.time.tick_s)
    pulse.start()
    return pulse


def run(site: Site, host: str, port: int) -> None:
    """Serves the screens until the process is told to stop."""
    uvicorn.run(
        create(site),
        host=host,
        port=port,
        ws="websockets-sansio",
        ws_max_size=MESSAGE_MAX,
        ws_per_message_deflate=False,  # 50 walls would each keep a window of it, for a link that is fast
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GOODBYE_S,
    )


def _plant(settings: Settings) -> Plant | None:
    try:
        return load(settings.plant, environment())
    except (PlantError, OSError) as error:
        log.warning(
            "cells are shown by name: the plant model cannot be read", folder=str(settings.plant), error=str(error)
        )
        return None
