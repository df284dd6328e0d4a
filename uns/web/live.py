"""What is shown now, to everybody who looks: one feed for all, computed once a second for each thing that is asked."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter, Gauge

from topology.nearest import nearest
from uns.web.access.roles import ANYBODY, Role, Who
from uns.web.feed import Feed
from uns.web.parts import Parts
from uns.web.screen import UnknownPlace, View, Visit

log = structlog.get_logger()

EVERY_S = 1.0
"""So often views are computed, and a sign of life goes out."""
SLOTS_MAX = 4
"""Things that one client can look at at once."""
ASKS_MAX = 500
"""Different things that are computed; who asks for one more is told so."""
CLIENTS_MAX = 500
TEXT_MAX = 300
"""Letters of a place, and of an option."""
OPTIONS_MAX = 12
NEAR_MAX = 5

clients_now = Gauge("uns_page_clients", "browsers that are connected to the page")
refused = Counter("uns_page_refused", "what the page did not take from a browser", ["reason"])

Views = Mapping[str, Callable[[Visit], View]]
"""Name of a screen → what it shows to a visit."""


class Ask(msgspec.Struct, frozen=True):
    """One thing to look at, as a browser says it."""

    slot: str
    screen: str
    place: str = ""
    options: dict[str, str] = {}

    @property
    def key(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        return self.screen, self.place, tuple(sorted(self.options.items()))


class BadAsk(ValueError):
    """What a browser asked for cannot be answered; says why."""


def parse(text: str) -> Ask:
    """What a browser has sent. Raises `BadAsk`."""
    try:
        ask = msgspec.json.decode(text, type=Ask)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAsk(f"no question: {error}") from None
    words = [ask.slot, ask.place, *ask.options, *ask.options.values()]
    if len(ask.options) > OPTIONS_MAX or any(len(word) > TEXT_MAX or "\n" in word for word in words):
        raise BadAsk("a question too long")
    return ask


def _within(ask: Ask, who: Who) -> Ask:
    """The question, where it is about what one may look at; one about no place is about theirs. Raises `BadAsk`."""
    if who.may(Role.VIEWER, ask.place):
        return ask
    if ask.place or not who.grants:
        raise BadAsk(f"{who.name} may not look at {ask.place or 'anything'}")
    return msgspec.structs.replace(ask, place=min(who.grants))


class Client:
    """One browser. It holds no queue: what has not gone out yet gives way to what is newer."""

    def __init__(self, who: Who) -> None:
        self.who = who
        self.looks: dict[str, tuple[Any, int]] = {}
        """Slot → what it looks at (the key), and which version of that it has seen."""
        self.beat = ""
        """The sign of life that is to go out; empty: none."""
        self.words: list[str] = []
        """What is to be told to this one alone; at most `SLOTS_MAX`."""
        self.due = asyncio.Event()

    def tell(self, slot: str, words: Mapping[str, Any]) -> None:
        self.words = [*self.words[1 - SLOTS_MAX :], f"{slot}\n{msgspec.json.encode(words).decode()}"]
        self.due.set()


class Live:
    """The views that anybody looks at, kept fresh. All of it runs in one event loop; only views are computed in a thread."""

    def __init__(
        self, screens: Views, feed: Feed, beat: Callable[[], Mapping[str, Any]], now: Callable[[], int]
    ) -> None:
        """`beat`: what a sign of life says; `now`: plant time (µs) as the feed has shown it."""
        self._screens, self._feed, self._beat, self._now = screens, feed, beat, now
        self._clients: set[Client] = set()
        self._views: dict[Any, Parts] = {}

    @property
    def clients(self) -> int:
        return len(self._clients)

    @property
    def asked(self) -> int:
        """How many different views are kept fresh."""
        return len(self._views)

    def join(self, who: Who = ANYBODY) -> Client:
        """A browser comes. Raises `BadAsk` where there are too many."""
        if len(self._clients) >= CLIENTS_MAX:
            refused.labels("too many browsers").inc()
            raise BadAsk(f"{CLIENTS_MAX} browsers look at this page already")
        client = Client(who)
        client.beat = self._beat_text()
        client.due.set()
        self._clients.add(client)
        clients_now.set(len(self._clients))
        return client

    def leave(self, client: Client) -> None:
        self._clients.discard(client)
        clients_now.set(len(self._clients))
        self._forget()

    async def ask(self, client: Client, text: str) -> None:
        """A browser looks at something from now on, in place of what it looked at in that slot."""
        try:
            ask = _within(parse(text), client.who)
            if ask.screen not in self._screens:
                raise BadAsk(f"no screen {ask.screen!r}")
            if ask.slot not in client.looks and len(client.looks) >= SLOTS_MAX:
                raise BadAsk(f"more than {SLOTS_MAX} things at once")
            if ask.key not in self._views and len(self._views) >= ASKS_MAX:
                raise BadAsk(f"{ASKS_MAX} different views are shown already")
        except BadAsk as error:
            refused.labels("a question").inc()
            client.tell("", {"problem": str(error)})
            return
        client.looks[ask.slot] = (ask.key, 0)
        self._forget()
        if ask.key not in self._views:
            parts = self._views[ask.key] = Parts()
            parts.put(await asyncio.to_thread(self._compute, ask.key))
        client.due.set()

    def take(self, client: Client) -> list[str]:
        """All that is to be sent to a browser now, which is then seen by it."""
        client.due.clear()
        texts, client.words = client.words, []
        for slot, (key, seen) in client.looks.items():
            parts = self._views.get(key)
            if parts is not None and parts.version > seen:
                texts.append(f"{slot}\n{parts.since(seen)}")
                client.looks[slot] = (key, parts.version)
        if client.beat:
            texts.append(client.beat)
            client.beat = ""
        return texts

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await self.refresh()
            await asyncio.sleep(max(EVERY_S - (loop.time() - begun), EVERY_S / 5))

    async def refresh(self) -> None:
        """Computes what is looked at, and wakes those who have something new to see."""
        keys = list(self._views)
        views = await asyncio.to_thread(lambda: [self._compute(key) for key in keys])
        for key, view in zip(keys, views, strict=True):
            if (parts := self._views.get(key)) is not None:
                parts.put(view)
        beat = self._beat_text()
        for client in self._clients:
            client.beat = beat
            client.due.set()

    def _beat_text(self) -> str:
        return f"beat\n{msgspec.json.encode(self._beat()).decode()}"

    def _forget(self) -> None:
        wanted = {key for client in self._clients for key, _ in client.looks.values()}
        for key in [key for key in self._views if key not in wanted]:
            del self._views[key]

    def _compute(self, key: tuple[str, str, tuple[tuple[str, str], ...]]) -> View:
        screen, place, options = key
        try:
            with self._feed.lock:
                return self._screens[screen](Visit(place, dict(options), self._now()))
        except UnknownPlace as error:
            return {"unknown": {"place": error.place, "near": near(error.place, error.known)}}
        except Exception as error:  # a third party's screen; it says so where it would stand, and the rest is shown
            log.error("a screen cannot be shown", screen=screen, place=place, error=f"{type(error).__name__}: {error}")
            return {"problem": f"{type(error).__name__}: {error}"}


def near(place: str, known: tuple[str, ...]) -> list[str]:
    """The places that somebody who wrote `place` may have meant, the likeliest first."""
    last = place.rpartition("/")[2]
    by_name = [path for path in known if path.rpartition("/")[2] == last]
    likely = [path for path in [nearest(place, known)] if path is not None]
    inside = [path for path in known if path.startswith(place.rpartition("/")[0] + "/")]
    return list(dict.fromkeys([*likely, *by_name, *inside, *known]))[:NEAR_MAX]


async def serve(live: Live, client: Client, send: Callable[[str], Any]) -> None:
    """Sends a browser what is new, each time that the last has gone out: a slow one gets the newest only."""
    while True:
        await client.due.wait()
        for text in live.take(client):
            await send(text)
