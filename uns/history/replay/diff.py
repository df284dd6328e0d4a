"""What a replay says against what was published, record by record, and the correction that follows. Pure.

Records are compared by what they say: not by revision, by final or corrected, nor by the offsets they rest on. A
withdrawn record counts as none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from processors.output.identity import revised
from processors.output.withdrawal import emptied
from schemas.records import Alert, Derived

_APART = ("id", "path", "definition", "revision", "status", "inputs")


class VerdictKind(StrEnum):
    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    """The replay has it, published is nothing."""
    EXTRA = "extra"
    """Published, and the replay has nothing there."""
    OPEN = "open"
    """Still provisional under a definition that is not the running one: nobody would ever close it."""
    NOT_REPRODUCIBLE = "not_reproducible"
    """Different, but retention removed records that one of the two rests on."""


DIFFERENCES = (VerdictKind.CHANGED, VerdictKind.MISSING, VerdictKind.EXTRA)


class ReplayVerdict(NamedTuple):
    kind: VerdictKind
    published: Derived | None
    """The newest revision; of another definition where nothing was published under the replay's."""
    replayed: Derived | None
    why: str = ""
    """What makes it not reproducible."""

    @property
    def record(self) -> Derived:
        """The record it is about."""
        record = self.replayed if self.replayed is not None else self.published
        assert record is not None
        return record

    def fields(self) -> dict[str, tuple[Any, Any]]:
        """Field → (old, new), of those that differ."""
        if self.published is None or self.replayed is None:
            return {}
        old, new = said(self.published), said(self.replayed)
        return {name: (old[name], value) for name, value in new.items() if old[name] != value}


class Skip(StrEnum):
    """Why a difference is not published."""

    OWNED = "owned"
    """The running processors may still revise it: they know only their own revisions."""
    OPEN = "open"
    NOT_REPRODUCIBLE = "not_reproducible"
    POINT = "point"
    """A quality point lasts no time, so nothing could say that it was taken back."""
    OTHER_DEFINITION = "other_definition"
    """The record of another definition is that definition's."""


Versions = Sequence[Derived | None]
"""What the replay says at the published position; more than one where the position lies between two; None: nothing."""

Doubt = Callable[[Derived | None, Derived | None], str | None]
"""(published, replayed) → why the two cannot be compared."""


def fact(record: Derived) -> str:
    """`path#kind@start`: what a record is about, whatever the definition and the revision."""
    return record.id.rpartition("~")[0]


def said(record: Derived) -> dict[str, Any]:
    """What a record says."""
    content = {name: getattr(record, name) for name in record.__struct_fields__ if name not in _APART}
    if isinstance(record, Alert):
        content["cause"] = record.cause.rpartition("~")[0] or record.cause
    content["provisional"] = record.status == "provisional"
    return content


def compare(
    replayed: Mapping[str, Versions],
    published: Mapping[str, Mapping[str, Derived]],
    definition: str,
    running: str,
    doubt: Doubt = lambda published, replayed: None,
) -> Iterator[ReplayVerdict]:
    """A verdict for each record, in order of path, kind and begin.

    `replayed`: fact → what the replay under `definition` says. `published`: fact → definition → newest revision, the
    definition told last at the end. `running` is the definition of the running processors.
    """
    told = {
        (record.path, record.message_class)
        for by_definition in published.values()
        if (record := by_definition.get(definition))
    }
    for name in sorted(replayed.keys() | published.keys()):
        by_definition = published.get(name, {})
        base = by_definition.get(definition)
        if base is None and by_definition:
            base = [*by_definition.values()][-1]
            if (base.path, base.message_class) in told:
                base = None  # this definition has a history of its own there
        versions = replayed.get(name, (None,))
        old, new = _there(base), _there(versions[-1])
        if new is not None and new.status == "provisional" and definition != running:
            yield ReplayVerdict(VerdictKind.OPEN, base, new)
        elif any(_same(old, _there(version)) for version in versions):
            if base is not None:
                yield ReplayVerdict(VerdictKind.SAME, base, new)
        elif (why := doubt(old, new)) is not None:
            yield ReplayVerdict(VerdictKind.NOT_REPRODUCIBLE, base, new, why)
        else:
            yield ReplayVerdict(
                VerdictKind.MISSING if old is None else VerdictKind.EXTRA if new is None else VerdictKind.CHANGED,
                base,
                new,
            )


def correction(verdict: ReplayVerdict, definition: str, running: str, floor: int) -> Derived | Skip | None:
    """The record that makes published what the replay says, why there is none, or None where nothing is to be said.

    `floor`: event time before which the running processors change nothing any more. Revisions go on from the published
    one as `corrected`; what was never published under `definition` begins at revision 0 as `final`.
    """
    base, new = verdict.published, verdict.replayed
    own = base if base is not None and base.definition == definition else None
    if verdict.kind is VerdictKind.OPEN:
        return Skip.OPEN
    if verdict.kind is VerdictKind.NOT_REPRODUCIBLE:
        return Skip.NOT_REPRODUCIBLE
    if verdict.kind is VerdictKind.SAME and (own is not None or new is None):
        return None
    if new is None and own is None:
        return Skip.OTHER_DEFINITION
    if definition == running and any(_lasts(record, floor) for record in (own, new) if record is not None):
        return Skip.OWNED
    if new is None:
        assert own is not None
        return Skip.POINT if own.message_class == "quality" else _withdrawal(own)
    if new.status == "provisional":
        return Skip.OPEN
    if own is None:
        return msgspec.structs.replace(new, id=revised(new.natural_id, 0), revision=0, status="final")
    return _next(own, new)


def _next(known: Derived, record: Derived) -> Derived:
    revision = known.revision + 1
    return msgspec.structs.replace(
        record, id=revised(known.natural_id, revision), revision=revision, status="corrected"
    )


def _withdrawal(known: Derived) -> Derived:
    """As the fold takes a record back: it ends as it begins, with nothing in it."""
    return _next(known, msgspec.structs.replace(known, ended_at=known.started_at, **emptied(known)))


def _there(record: Derived | None) -> Derived | None:
    return None if record is None or record.withdrawn else record


def _same(before: Derived | None, after: Derived | None) -> bool:
    if before is None or after is None:
        return before is after
    return before is after or said(before) == said(after)


def _lasts(record: Derived, floor: int) -> bool:
    """Whether a fold that keeps everything from `floor` on may still change it."""
    return record.status == "provisional" or record.ended_at is None or record.ended_at >= floor
