"""A deed: what somebody wants to have done, as the page sends it, checked field by field. Pure."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.records import Fact, Note, Samples
from topology.model.equipment import EquipmentType
from topology.model.plant import Plant
from topology.namespace.path import Path
from topology.nearest import hint
from uns.web.access.roles import Role
from uns.web.act.book import Book

TEXT_MAX = 1000
UNDONE_AT = "undone_at"
"""Of a deed that is taken back: when, µs UTC."""
_ID = re.compile(r"[A-Za-z0-9._-]{8,80}")

Word = Fact | Samples | Note
"""What a deed may come to: facts and pieces for the folds, notes as they are."""
Told = tuple[str, Word]
"""A path, and what is told of it."""


class Refused(ValueError):
    """What somebody wants to do cannot be done; says why and what helps, for people."""


class Confirm(Refused):
    """It can be done, but looks like a slip: asks to say it again with `confirmed`."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One deed. Times are µs UTC of the plant's clock."""

    id: str
    """Made by the page: the same deed sent again has the same."""
    kind: str
    path: str
    fields: Mapping[str, Any]
    """What the page sends along; read it by `text`, `number`, `time`, … which say what is wrong."""
    by: str
    said_at: int
    """When the person said it, which may be long before it comes: the page may have had no link."""

    def text(self, name: str, default: str | None = None) -> str:
        """Required where there is no default."""
        told = self.fields.get(name, default)
        if not isinstance(told, str) or (default is None and not told.strip()):
            raise Refused(f"{name}: a text is expected")
        if len(told) > TEXT_MAX:
            raise Refused(f"{name}: at most {TEXT_MAX} characters are taken, these are {len(told)}")
        return told.strip()

    def words(self, name: str) -> str | None:
        """An optional text; None for an empty one."""
        return self.text(name, "") or None

    def whole(self, name: str, least: int, most: int) -> int:
        told = self.fields.get(name)
        if isinstance(told, bool) or not isinstance(told, int) or not least <= told <= most:
            raise Refused(f"{name}: a whole number from {least} to {most} is expected")
        return told

    def number(self, name: str) -> float:
        told = self.fields.get(name)
        if isinstance(told, bool) or not isinstance(told, int | float) or not math.isfinite(told):
            raise Refused(f"{name}: a number is expected")
        return float(told)

    def time(self, name: str) -> int:
        return self.whole(name, 0, 2**62)

    def maybe_time(self, name: str) -> int | None:
        return None if self.fields.get(name) is None else self.time(name)

    def times(self, name: str, most: int) -> list[int]:
        told = self.fields.get(name, [])
        if not isinstance(told, list) or len(told) > most:
            raise Refused(f"{name}: a list of at most {most} times is expected")
        return [Deed(self.id, self.kind, self.path, {name: each}, self.by, self.said_at).time(name) for each in told]

    @property
    def confirmed(self) -> bool:
        return self.fields.get("confirmed") is True


@dataclass(frozen=True, slots=True)
class World:
    """What a deed is looked at against."""

    plant: Plant
    book: Book
    """The notes that there are."""


Build = Callable[[Deed, World], list[Told]]
"""The facts that a deed comes to, in the order they are told. Pure. Raises `Refused`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of deed."""

    role: Role
    """The least that may do it, at the deed's path."""
    build: Build
    undo: Build | None = None
    """The facts that take it back, of the deed with the field `undone_at`; None: it cannot be taken back."""
    more: Callable[[Deed], Role] | None = None
    """A greater role that this very deed needs."""

    def needs(self, deed: Deed) -> Role:
        return self.role if self.more is None else max(self.role, self.more(deed))


def type_of(plant: Plant, path: str) -> EquipmentType:
    """The type of a machine. Raises `Refused` with the nearest for what is none."""
    cells = {str(of): equipment for of, equipment in plant.cells().items()}
    if path not in cells:
        raise Refused(f"{path}: the plant model has no such machine; {hint(path, sorted(cells))}")
    return cells[path]


def parsed(kind: str, said: Mapping[str, Any], by: str, now: int) -> Deed:
    """What the page has sent, as a deed; `now`: plant time, of one that says no time. Raises `Refused`."""
    id_, path, said_at = said.get("id"), said.get("path"), said.get("said_at", now)
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        raise Refused("id: 8 to 80 letters, digits, dots and dashes are expected, made anew for each deed")
    if not isinstance(path, str):
        raise Refused("path: the place is missing")
    Path.parse(path)
    if isinstance(said_at, bool) or not isinstance(said_at, int):
        raise Refused("said_at: plant time is expected, in microseconds UTC")
    return Deed(id_, kind, path, said, by, said_at)
