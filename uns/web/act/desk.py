"""The desk where deeds come in: who may do it, whether it was done already, whether it may be told; then it is told.

State of its own is bounded and only spares repetitions: a deed that comes again after a restart tells the same facts again,
under the same ids, which changes nothing.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from processors.inputs.admission import Admission
from schemas.records import Acknowledge, Note, Samples
from topology.model.plant import Plant
from topology.namespace.path import BadPath
from topology.nearest import hint
from uns.web.access.roles import Who
from uns.web.act import alarms, inspection, notes, production, stops
from uns.web.act.book import Book
from uns.web.act.deed import UNDONE_AT, Confirm, Deed, Kind, Refused, Told, Word, World, parsed

log = structlog.get_logger()

KINDS: Mapping[str, Kind] = {**stops.KINDS, **production.KINDS, **inspection.KINDS, **alarms.KINDS, **notes.KINDS}
UNDO = "undo"
DONE_MAX = 5_000
NEWEST_MAX = 20_000
OLDEST_US = 7 * 86_400 * 1_000_000
"""A deed that was said longer ago is not taken: its shift is closed, and its words are nobody's any more."""
AHEAD_US = 5 * 60 * 1_000_000
"""A page's clock may be ahead by so much."""

Tell = Callable[[str, Word], Awaitable[str | None]]
"""Publishes a fact of a path; returns what went wrong, if anything did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a deed."""

    status: int
    """As HTTP: 200 done, 403 not allowed, 409 asks or comes too late, 422 refused, 503 may do better later."""
    problem: str | None = None
    again: bool = False
    """It was done already."""
    confirm: bool = False
    """It looks like a slip: say it again with `confirmed`."""
    undo: bool = False
    """It can be taken back."""


class Desk:
    """One for the process; called in one event loop."""

    def __init__(self, plant: Plant | None, tell: Tell, now: Callable[[], int], book: Book | None = None) -> None:
        """`now`: plant time, µs UTC. Without a plant model nothing is taken: nobody could say what is right."""
        self._world = None if plant is None else World(plant, Book() if book is None else book)
        self._tell, self._now = tell, now
        self._admission = None if plant is None else Admission(plant)
        self._done: OrderedDict[str, Answer] = OrderedDict()
        self._newest: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        """(path, type, id) of a fact → when what was told of it last had been said."""

    async def take(self, kind: str, said: Mapping[str, Any], who: Who) -> Answer:
        """A deed of a kind, as the page sends it; `undo` takes the deed in the field `of` back."""
        if self._world is None:
            return Answer(503, "the plant model cannot be read: nothing is taken until it can")
        try:
            if said.get("user") not in (None, who.name):
                return Answer(403, f"{said['user']} has said this: sign in as {said['user']} to have it told")
            if kind == UNDO:
                return await self._undo(said, who)
            return await self._take(parsed(kind, said, self._by(said, who), self._now()), who)
        except Confirm as error:
            return Answer(409, str(error), confirm=True)
        except (Refused, BadPath) as error:
            return Answer(422, str(error))

    def _by(self, said: Mapping[str, Any], who: Who) -> str:
        name = said.get("by", "")
        given = name.strip() if isinstance(name, str) else ""
        if not who.name and not given:
            raise Refused("say who you are")
        return who.by(given)

    async def _take(self, deed: Deed, who: Who) -> Answer:
        kind = _kind(deed.kind)
        if (refused := _may(who, kind, deed)) is not None:
            return refused
        if (done := self._done.get(deed.id)) is not None:
            return replace(done, again=True)
        self._in_time(deed)
        assert self._world is not None
        return await self._told(deed, kind.build(deed, self._world), deed.said_at, kind.undo is not None)

    async def _undo(self, said: Mapping[str, Any], who: Who) -> Answer:
        now = self._now()
        of = said.get("of")
        if not isinstance(of, dict) or not isinstance(of.get("kind"), str):
            raise Refused("of: the deed that is to be taken back is expected, with its kind")
        undone_at = parsed(UNDO, {**said, "path": of.get("path")}, "", now)
        deed = parsed(of["kind"], {**of, UNDONE_AT: undone_at.said_at}, self._by(said, who), now)
        kind = _kind(deed.kind)
        if (refused := _may(who, kind, deed)) is not None:
            return refused
        if kind.undo is None:
            raise Refused(f"{deed.kind} cannot be taken back")
        if (done := self._done.get(undone_at.id)) is not None:
            return replace(done, again=True)
        self._in_time(undone_at)
        assert self._world is not None
        return await self._told(replace(deed, id=undone_at.id), kind.undo(deed, self._world), undone_at.said_at, False)

    def _in_time(self, deed: Deed) -> None:
        now = self._now()
        if not now - OLDEST_US <= deed.said_at <= now + AHEAD_US:
            days = OLDEST_US // 86_400_000_000
            raise Refused(f"said_at: a time within the last {days} days is expected; is this device's clock right?")

    async def _told(self, deed: Deed, facts: list[Told], said_at: int, undo: bool) -> Answer:
        """Tells all of a deed's facts, or none where one may not be told."""
        for path, fact in facts:
            if (why := self._refusal(path, fact)) is not None:
                raise Refused(why)
            if self._newest.get(_key(path, fact), said_at) > said_at:
                return Answer(409, "somebody has said otherwise since; look at it again")
        for path, fact in facts:
            problem = await self._tell(path, fact)
            if problem is not None:
                return Answer(503, problem)
            _keep(self._newest, _key(path, fact), said_at, NEWEST_MAX)
        log.info("told", deed=deed.kind, path=deed.path, by=deed.by, facts=len(facts))
        answer = Answer(200, undo=undo)
        _keep(self._done, deed.id, answer, DONE_MAX)
        return answer

    def _refusal(self, path: str, word: Word) -> str | None:
        assert self._admission is not None
        if isinstance(word, Note):
            return None  # its deed has looked at the place: no fold reads it
        if isinstance(word, Samples):
            refused = self._admission.refusal(path, word)
        else:
            refused = self._admission.whole_refusal(path, word)
        return None if refused is None else refused.message


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise Refused(f"nothing is called {name[:60]!r} here; {hint(name, sorted(KINDS))}")
    return KINDS[name]


def _may(who: Who, kind: Kind, deed: Deed) -> Answer | None:
    needed = kind.needs(deed)
    if who.may(needed, deed.path):
        return None
    return Answer(403, f"{who.name or 'you'} may not do this at {deed.path}: it takes the role {needed.word} there")


def _key(path: str, word: Word) -> tuple[str, str, str]:
    """What a later word replaces an earlier one of."""
    match word:
        case Note():
            named = word.natural_id
        case Samples():
            named = str(word.sequence)
        case Acknowledge():
            named = word.alert
        case _:
            named = word.id
    return path, type(word).__name__, named


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
