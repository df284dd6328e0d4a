"""What derives a class of records: one protocol for a cell, its sibling for a line, and how their own state is saved.

A new derived class is a module of this package with a class that follows one of the two, and a line in
`processors.derive.order`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Protocol

import msgspec

from processors.base import Rejection
from processors.cell.cell import Cell
from processors.inputs.facts import OwnFact
from processors.inputs.schedule import Schedule
from processors.output.ledger import Ledger
from processors.timeline.view import Moment, View
from schemas.records import Derived
from topology.model.equipment import EquipmentType


class Section(msgspec.Struct, gc=False):
    """A derivation's own state, or a part of it, as it is saved."""

    version: int
    """The derivation's `version` when it was saved."""
    state: msgspec.Raw
    """A map by name."""


Saved = Mapping[str, Section]
"""The sections of one derivation, by the name of the part ("" for one that has no parts)."""


class Stateful(Protocol):
    """State of a derivation's own, saved by name. Without such state the defaults do."""

    __slots__ = ()

    name: ClassVar[str]
    """What its state is saved under; keeps its meaning for ever."""
    version: ClassVar[int] = 1
    """Of its saved state. `load` reads older ones, or leaves them and starts anew. Not for fields with a default."""
    kinds: ClassVar[tuple[str, ...]]
    """First words of the kinds of records it gives; no other derivation of the same place closes or withdraws these."""
    records: ClassVar[tuple[type[Derived], ...]]
    """Types of records that it gives."""

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        """The parts of its own state that changed since the last call, by name; None: it is gone."""
        return iter(())

    def load(self, saved: Saved, redefined: bool) -> None:
        """Puts back what `dump` gave, before anything is derived. `redefined`: the KPI definition says something else
        since then, so that what rests on it must be derived again."""
        return


class Derivation(Stateful, Protocol):
    """Derives records of one cell; one instance a cell. It writes no attribute of the cell but through its methods.

    At a refresh all derivations of a cell go through one stage after the other, each stage in the order of the list. Each
    returns the differences to what was published (`cell.ledger`).
    """

    __slots__ = ()

    reads: ClassVar[tuple[type[OwnFact], ...]] = ()
    """The facts that `take` is given."""
    rests: ClassVar[bool] = False
    """Whether `derive` has nothing to say at a quiet tick (`View.quiet`), and so is not asked."""
    closes: ClassVar[bool] = False
    """Whether its records are closed once the watermark has passed their end, without being derived again."""

    def __init__(self, cell: Cell) -> None:
        return

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """First stage: what time makes of the inputs. Not before the first sign of life."""
        return []

    def withdraw(self, cell: Cell, view: View) -> list[Derived]:
        """Second stage, only where orders or shifts have changed: takes back what was of one that is no more."""
        return []

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Third stage: what follows from the watermark, from silence, and from facts for it alone."""
        return []

    def snapshot(self, cell: Cell, view: View) -> list[Derived]:
        """Last stage, after records have been closed: the cell as a whole, at most every current_s."""
        return []

    def take(self, cell: Cell, fact: OwnFact, offset: int, oldest: int, newest: int) -> Rejection | None:
        """Takes in a fact for it alone, or says what is wrong. Times outside [oldest, newest] µs are refused."""
        return None

    def expire(self, cell: Cell, floor: int) -> None:
        """Notes what it must know of the time before `floor` (a full hour, µs): samples and facts from there are evicted
        next."""
        return


class LineDerivation(Stateful, Protocol):
    """Derives records of a line from its cells; one instance a line."""

    __slots__ = ()

    def __init__(self, types: Mapping[str, EquipmentType], ledger: Ledger) -> None:
        """`types`: path of each cell of the line → its type, in the order of the flow."""
        return

    def touch(self, spans: Sequence[tuple[int, int]]) -> None:
        """Notes stretches of a cell's event time that changed."""
        return

    def derive(self, cells: Mapping[str, Cell], schedule: Schedule, moment: Moment) -> list[Derived]:
        """The differences to what was published, each `kpi_s`. `schedule`: the line's shifts."""
        return []

    def expire(self, cells: Mapping[str, Cell], schedule: Schedule, moment: Moment) -> None:
        """Notes what it must know of the time before `moment.floor`, and forgets the rest: samples and facts from there
        are evicted next."""
        return


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Section).decode


def sections(derivations: Sequence[Stateful]) -> Iterator[tuple[str, bytes | None]]:
    """State keys (what follows `path|`) of derivations' own state that changed since the last call."""
    for derivation in derivations:
        if (
            type(derivation).dump is Stateful.dump
        ):  # most have no state: a busy worker saves thousands of cells a second
            continue
        for part, state in derivation.dump():
            key = f"of|{derivation.name}|{part}" if part else f"of|{derivation.name}"
            yield key, None if state is None else _encode(Section(derivation.version, msgspec.Raw(_encode(state))))


def load_sections(derivations: Sequence[Stateful], parts: Mapping[str, bytes], redefined: bool) -> None:
    """Puts back derivations' own state from the keys of a path. One that is not there any more is passed over."""
    saved: dict[str, dict[str, Section]] = {}
    for key, data in parts.items():
        if key.startswith("of|"):
            name, _, part = key[3:].partition("|")
            saved.setdefault(name, {})[part] = _decode(data)
    for derivation in derivations:
        if derivation.name in saved:
            derivation.load(saved[derivation.name], redefined)
