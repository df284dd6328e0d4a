"""Decisions about control limits (`Limits` facts) that the watermark has not passed, and those that it has, by id."""

import msgspec

from processors.base import Rejection
from processors.inputs.admission import impossible
from processors.spc.control import Standard
from schemas.records import Limits

KNOWN_MAX = 64
"""Decisions of one machine that are remembered, so that one told again says nothing new."""


class SavedDecisions(msgspec.Struct, omit_defaults=True, gc=False):
    """Decisions as they are saved."""

    waiting: list[Limits] = []
    known: list[Limits] = []


class Decisions:
    """What was decided about the charts of one machine."""

    __slots__ = ("_known", "_waiting", "changed")

    def __init__(self) -> None:
        self._waiting: dict[str, Limits] = {}
        self._known: dict[str, Limits] = {}
        self.changed = False

    def take(self, path: str, fact: Limits, oldest: int, newest: int) -> Rejection | None:
        """Keeps a decision until the watermark passes it, or says what is wrong with it. Of one id the last word counts;
        once it has held, another word of that id is one more decision."""
        if (refused := impossible(path, fact)) is not None:
            return refused
        what = f"{path}: Limits {fact.id}"
        if fact.at < oldest:
            return Rejection("late", f"{what} are older than the correction horizon", fact.characteristic)
        if fact.at > newest:
            return Rejection("future", f"{what} are ahead of the plant's clock", fact.characteristic)
        if self._known.get(fact.id) == fact:
            return None
        if fact.id not in self._waiting and len(self._waiting) >= KNOWN_MAX:
            return Rejection("too_many_facts", f"{what}: {KNOWN_MAX} decisions wait already", fact.characteristic)
        self._waiting[fact.id] = fact
        self.changed = True
        return None

    def due(self, watermark: int) -> list[Limits]:
        """Takes out the decisions up to the watermark, in order."""
        if not self._waiting:
            return []
        due = sorted((fact for fact in self._waiting.values() if fact.at <= watermark), key=lambda of: (of.at, of.id))
        for fact in due:
            del self._waiting[fact.id]
            self._known.pop(fact.id, None)
            self._known[fact.id] = fact
            self.changed = True
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        return due

    def dump(self) -> SavedDecisions:
        return SavedDecisions(list(self._waiting.values()), list(self._known.values()))

    def load(self, saved: SavedDecisions) -> None:
        self._waiting = {fact.id: fact for fact in saved.waiting}
        self._known = {fact.id: fact for fact in saved.known}


def standard_of(fact: Limits) -> Standard | None:
    """The limits that were decided; None: they are learnt anew."""
    if fact.mean is None:
        return None
    return Standard(fact.mean, 1.0 if fact.sigma is None else fact.sigma, name=fact.id, since=fact.at)
