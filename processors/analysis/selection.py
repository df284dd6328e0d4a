"""Which `Kpi` records speak for a stretch of time: newest revisions, closed windows, one definition, one level. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

from schemas.records import Derived, Kpi
from topology.kpi.definition import Definition
from topology.kpi.values import Facts, Pieces, total
from topology.namespace.path import Level, Path

_DATED = re.compile(r"^\d{4}-?\d{2}-?\d{2}[-_/ .]?|[-_/ .]?\d{4}-?\d{2}-?\d{2}$")
DerivedT = TypeVar("DerivedT", bound=Derived)
Samples = dict[str, dict[int, Facts]]
"""Group → window's name in time → what all of the group's places did in it."""


class Incomparable(ValueError):
    """There is nothing to compare, or it must not be; the message says why and what to do."""


class By(StrEnum):
    SHIFT = "shift"
    LINE = "line"
    SITE = "site"
    PRODUCT = "product"
    SUPPLIER = "supplier"
    CELL = "cell"


LEVELS = (Level.LINE, Level.CELL, Level.AREA, Level.SITE, Level.ENTERPRISE)
"""In this order: a line's rule says which of its machines count, machines alone would count a piece at each of them."""


def newest(records: Iterable[DerivedT]) -> list[DerivedT]:
    """The newest revision of each fact, in order of time and place, without what was taken back."""
    found: dict[str, DerivedT] = {}
    for record in records:
        known = found.get(record.natural_id)
        if known is None or record.revision > known.revision:
            found[record.natural_id] = record
    kept = (record for record in found.values() if not record.withdrawn)
    return sorted(kept, key=lambda record: (record.started_at, record.id))


def closed(records: Iterable[Kpi], start: int, end: int) -> list[Kpi]:
    """Newest revisions of final windows that lie in [start, end), µs."""
    return [
        record
        for record in newest(records)
        if record.status != "provisional"
        and record.ended_at is not None
        and record.started_at >= start
        and record.ended_at <= end
    ]


def at_level(records: Sequence[Kpi], level: Level | None = None, within: Level = Level.ENTERPRISE) -> list[Kpi]:
    """The records of one level of the hierarchy; of lines before cells before areas where none is given, at or below `within`."""
    levels = {record.id: Path.parse(record.path).level for record in records}
    wanted = [one for one in LEVELS if one >= within and level in (None, one)]
    for one in wanted:
        if found := [record for record in records if levels[record.id] is one]:
            return found
    names = " or ".join(one.name.lower() for one in wanted) or "that level"
    there = ", ".join(sorted({one.name.lower() for one in levels.values()})) or "nothing"
    raise Incomparable(f"no closed kpi windows of {names} match; those that match are of: {there}")


def of_window(records: Sequence[Kpi], usual: Sequence[str]) -> tuple[str, list[Kpi]]:
    """The records of one kind of window: of the first of `usual` that is there."""
    for kind in usual:
        if found := [record for record in records if record.window == kind]:
            return kind, found
    raise Incomparable(f"no closed {' or '.join(usual)} windows lie in that time")


def of_definition(
    records: Sequence[Kpi], preferred: str | None, given: str | None, where: str
) -> tuple[str, list[Kpi]]:
    """The label that every window has a record of, and those records: `given`, else `preferred`, else the only one.

    Raises `Incomparable` where some windows were computed by another definition only: numbers of two definitions differ
    by what the definitions say, not by what happened.
    """
    windows = {_window(record) for record in records}
    by_label: dict[str, set[tuple[str, str, int, str | None]]] = {}
    for record in records:
        by_label.setdefault(record.definition, set()).add(_window(record))
    whole = sorted(label for label, found in by_label.items() if found == windows)
    label = given or (preferred if preferred in whole else whole[0] if len(whole) == 1 else None)
    if label is None or label not in whole:
        counts = ", ".join(f"{len(found)} windows by {name}" for name, found in sorted(by_label.items()))
        if len(whole) > 1 and label is None:
            raise Incomparable(f"{where}: {counts}; name one with --definition")
        wanted = label or preferred or whole or max(by_label)
        raise Incomparable(
            f"{where}: {counts} of {len(windows)}: numbers of different definitions are not compared. "
            f"`uns replay FILTER --from … --to … --definition {wanted} --publish` computes the others by {wanted} too; "
            "`uns kpi diff A B FILTER` shows what two definitions make of the same history"
        )
    return label, [record for record in records if record.definition == label]


def fitting(records: Sequence[Kpi], definition: Definition) -> None:
    """Raises `Incomparable` for records with elements that the definition does not have: their time would be lost."""
    if strangers := sorted({name for record in records for name in record.element_us} - definition.elements.keys()):
        raise Incomparable(
            f"{definition.label} has no {', '.join(strangers)}, which its records have: it was edited in place; a changed "
            "definition needs a version of its own"
        )


def _window(record: Kpi) -> tuple[str, str, int, str | None]:
    return record.path, record.window, record.started_at, record.window_name


def facts_of(record: Kpi) -> Facts:
    """What a window's KPIs rest on."""
    pieces = (Pieces.of(one) for one in record.pieces)
    return Facts(record.element_us, tuple(pieces), record.quantities, record.observed_us, record.elapsed_us)


def grouped(records: Iterable[Kpi], by: By) -> Samples:
    """Windows by group. What several places of a group did in the same window is one sampling unit."""
    return sampled(((_group(record, by), record.started_at), facts_of(record)) for record in records)


def sampled(parts: Iterable[tuple[tuple[str, int], Facts]]) -> Samples:
    """Σ of all parts with the same group and time."""
    found: dict[str, dict[int, list[Facts]]] = {}
    for (group, at), facts in parts:
        found.setdefault(group, {}).setdefault(at, []).append(facts)
    return {group: {at: total(some) for at, some in sorted(units.items())} for group, units in sorted(found.items())}


def _group(record: Kpi, by: By) -> str:
    match by:
        case By.SHIFT:
            return shift_name(record.window_name or "")
        case By.PRODUCT:
            return record.product or "(no product)"
        case By.SITE:
            return str(Path.parse(record.path).at(Level.SITE))
        case _:
            return record.path


def shift_name(shift: str) -> str:
    """A shift's name from its id: without the date that it begins or ends with."""
    return _DATED.sub("", shift, count=1) or shift


def nothing(facts: Facts, planned: Callable[[Facts], bool]) -> bool:
    """Whether a window neither was planned nor made a piece: it is no evidence of anything."""
    return not planned(facts) and not any(one.good or one.scrap or one.rework for one in facts.pieces)
