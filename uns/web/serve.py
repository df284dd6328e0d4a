"""The page's process: screens, their feed, what people tell, and the server put together."""

import asyncio
from collections.abc import Sequence

import structlog
import uvicorn
from starlette.middleware import Middleware

from schemas.codec import Codec
from schemas.records import Note
from topology.model.loader import PlantError, load
from topology.model.plant import Plant
from topology.model.timing import Time
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from uns.client.subscribe import Begin, Subscription
from uns.engine.config import EngineConfig
from uns.kafka import clients
from uns.kafka.publish import NotPublished, Publisher
from uns.runtime import clock, stopping, telemetry
from uns.runtime.running import environment
from uns.runtime.settings import Settings
from uns.web.access import opening
from uns.web.access.door import Door
from uns.web.access.gate import Gate
from uns.web.access.store import Store
from uns.web.act.book import Book
from uns.web.act.deed import Word
from uns.web.act.desk import Desk, Tell
from uns.web.act.routes import routes
from uns.web.app import Site, create
from uns.web.browser.routes import Looks
from uns.web.browser.values import Log
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


def serve(settings: Settings, codec: Codec, port: int, host_names: Sequence[str] = (), anyone: bool = False) -> None:
    """Runs until the process is told to stop. The page answers even while Kafka is away, and says so. `host_names`: what
    browsers may call it by, beside addresses and this machine's own name. `anyone`: it may listen beyond this machine
    without users. Raises `UserError` where it may not, and where the users cannot be read."""
    telemetry.configure_logs(settings)
    stopping.end_in_order()
    plant = _plant(settings)
    namespace = Namespace(order=() if plant is None else tuple(str(path) for path in plant.cells()))
    screens = pictured(registered(), plant)
    wanted = [MessageClass.CURRENT, MessageClass.NOTE, *(name for spec, _ in screens.values() for name in spec.classes)]
    classes = tuple(dict.fromkeys(wanted))
    book, store = Book(), Store(settings.users_file, settings.state_dir)
    opening.check(settings.bind, store.required, anyone)

    def subscription() -> Subscription:
        # Snapshots and alerts are true until replaced, however old; of the rest the screens show the recent past only.
        recent = (clock.system() - RECENT_US) // 1000
        begin: dict[MessageClass, Begin] = {name: "beginning" if name in LASTING else recent for name in classes}
        return Subscription(settings, codec, [Filter.parse("#")], classes, begin)

    provisional_s = (plant.time if plant else Time()).provisional_s
    limit_s = provisional_s / clock.rate_of(settings.clock) + MARGIN_S
    pictures = list({id(picture): picture for _, picture in screens.values()}.values())
    feed = Feed(
        [namespace.apply, book.apply, *(picture.apply for picture in pictures)],
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
    now = clock.from_spec(settings.clock)
    desk = Desk(plant, _tell(settings, codec), now, book)
    site = Site(
        screens,
        namespace,
        feed,
        now,
        rate=clock.rate_of(settings.clock),
        zones=zones(plant),
        routes=[*routes(desk, plant), *Looks(Log(settings, codec)).routes(), *Door(store).routes()],
        middleware=[Middleware(Gate, store=store)],
        host_names=host_names,
        troubles=tuple if plant is None else _pulse(settings, plant).troubles,
    )
    run(site, settings.bind, port)


def _tell(settings: Settings, codec: Codec) -> Tell:
    publisher = Publisher(settings, codec)

    async def tell(path: str, word: Word) -> str | None:
        try:
            if isinstance(word, Note):
                await asyncio.to_thread(publisher.derived, word)
            else:
                await asyncio.to_thread(publisher.fact, Path.parse(path), word, "uns-page")
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
