"""The page's process: feed, acknowledgements and the server put together."""

import asyncio

import structlog

from schemas.codec import Codec
from schemas.records import Acknowledge, Alert
from topology.model.kpis import selected
from topology.model.loader import PlantError, load
from topology.model.plant import Plant, Time
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from uns.client.subscribe import Begin, Subscription
from uns.kafka.publish import NotPublished, publish
from uns.runtime import clock, telemetry
from uns.runtime.running import environment
from uns.runtime.settings import Settings
from uns.web.feed import CLASSES, Feed
from uns.web.line.board import Board
from uns.web.page import serve as serve_page

log = structlog.get_logger()

MARGIN_S = 15.0
"""Beyond the longest pause between two snapshots."""
RECENT_US = 24 * 3600 * 1_000_000
LASTING = (MessageClass.CURRENT, MessageClass.ALERT)


def serve(settings: Settings, codec: Codec, port: int) -> None:
    """Runs until the process is told to stop. The page answers even while Kafka is away, and says so."""
    telemetry.configure_logs(settings)
    plant = _plant(settings)
    board = Board()
    if plant:
        board = Board(order=tuple(str(path) for path in plant.cells()), definition=selected(plant))
    now = clock.from_spec(settings.clock)

    def subscription() -> Subscription:
        # Snapshots and alerts are true until replaced, however old; of the rest the screen shows the recent past only.
        recent = (clock.system() - RECENT_US) // 1000
        begin: dict[MessageClass, Begin] = {name: "beginning" if name in LASTING else recent for name in CLASSES}
        return Subscription(settings, codec, [Filter.parse("#")], CLASSES, begin)

    provisional_s = (plant.time if plant else Time()).provisional_s
    feed = Feed(board, subscription, limit_s=provisional_s / clock.rate_of(settings.clock) + MARGIN_S)

    async def acknowledge(alert: Alert) -> str | None:
        fact = Acknowledge(alert=alert.natural_id, at=now(), by="page")
        try:
            await asyncio.to_thread(publish, settings, codec, Path.parse(alert.path), fact, "uns-page")
        except NotPublished as error:
            return str(error)
        return None

    telemetry.serve(
        settings.bind,
        settings.metrics_port,
        live=lambda: [] if feed.alive() else ["the feed has ended"],
        ready=lambda: [found] if (found := feed.trouble()) else [],
    )
    serve_page(feed, acknowledge, settings.bind, port)


def _plant(settings: Settings) -> Plant | None:
    try:
        return load(settings.plant, environment())
    except (PlantError, OSError) as error:
        log.warning(
            "cells are shown by name: the plant model cannot be read", folder=str(settings.plant), error=str(error)
        )
        return None
