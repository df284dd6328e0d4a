"""Observations from a table (CSV): columns of losses and exposures, every other column a factor or a process value."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from processors.analysis.observations import Observation, Of
from processors.analysis.selection import Incomparable
from topology.nearest import hint

LOSSES: Mapping[Of, tuple[str, ...]] = {
    Of.SCRAP: ("scrap", "bad", "defects"),
    Of.FPY: ("not_first_pass", "bad", "defects"),
    Of.DOWNTIME: ("downtime_min", "minutes"),
    Of.CYCLE: ("cycle_s",),
}
EXPOSURES: Mapping[Of, tuple[str, ...]] = {
    Of.SCRAP: ("pieces", "total"),
    Of.FPY: ("pieces", "total"),
    Of.DOWNTIME: ("planned_h", "hours"),
    Of.CYCLE: (),
}
COUNTED = ("good", "scrap", "rework")
CATEGORIES_MAX = 12
"""A column of whole numbers with no more different ones is a factor: cavity 1 to 8."""


@dataclass(frozen=True)
class Columns:
    """Which column is what; none: by its usual name."""

    loss: str | None = None
    exposure: str | None = None
    unit: str | None = None
    """What is no independent evidence within: a lot, a shift. None: each row is a unit."""
    categories: Sequence[str] = ()
    """Columns of numbers that are names."""


Row = Mapping[str, str]


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a table with one row of names; the separator is a comma, a semicolon or a tab. Raises `Incomparable`."""
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    try:
        reader = csv.DictReader(io.StringIO(text), delimiter=separator, strict=True)
        rows = [
            {name.strip(): (cell or "").strip() for name, cell in row.items() if isinstance(name, str)}
            for row in reader
        ]
    except csv.Error as error:
        raise Incomparable(f"this is no table: {error}") from error
    if not rows:
        raise Incomparable("the table has no rows; one row of column names, then one a stretch or a piece is expected")
    return rows


def observations(
    rows: Sequence[Row], of: Of, columns: Columns, characteristic: str | None = None
) -> tuple[list[Observation], list[str]]:
    """Observations, and what was left out and why. Raises `Incomparable` where a column is missing or nothing is left."""
    names = list(rows[0])
    loss, exposure, counted = _columns(names, of, columns, characteristic)
    used = {loss, exposure, columns.unit, *(counted or ())} - {None}
    found, skipped = [], 0
    for number, row in enumerate(rows, 1):
        read = _amounts(row, of, loss, exposure, counted)
        if read is None:
            skipped += 1
            continue
        period = row.get(columns.unit, "") if columns.unit else str(number)
        found.append((read, row, period))
    factors, values, ids = _kinds([row for _, row, _ in found], [name for name in names if name not in used], columns)
    notes = (
        [f"{skipped} rows left out: {loss or 'the counts'} or what it is of is no number that can be"]
        if skipped
        else []
    )
    notes += [f"column {name} left out: every row has another one" for name in ids]
    if not found:
        raise Incomparable(f"no row has numbers in {loss or ', '.join(counted or ())}")
    return [
        Observation(
            read[0],
            read[1],
            {name: row[name] for name in factors if row[name]},
            period,
            values={name: value for name in values if (value := _number(row[name])) is not None},
        )
        for read, row, period in found
    ], notes


def _columns(
    names: Sequence[str], of: Of, columns: Columns, characteristic: str | None
) -> tuple[str | None, str | None, tuple[str, ...] | None]:
    """Columns of the loss, of the exposure, and of counts that sum to it. Raises `Incomparable`."""
    for name in (columns.loss, columns.exposure, columns.unit, *columns.categories, characteristic):
        if name is not None and name not in names:
            raise Incomparable(f"the table has no column {name!r}; {hint(name, names)}")
    loss = columns.loss or characteristic or next((name for name in LOSSES.get(of, ()) if name in names), None)
    exposure = columns.exposure or next((name for name in EXPOSURES.get(of, ()) if name in names), None)
    counted = None
    if of in (Of.SCRAP, Of.FPY) and columns.loss is None and exposure is None and "good" in names:
        counted = tuple(name for name in COUNTED if name in names)
    if loss is None and not (counted and of is Of.FPY):
        usual = " or ".join(LOSSES.get(of, ()))
        raise Incomparable(
            f"the table has no column {usual}; name the column of losses with --loss (there are {', '.join(names)})"
        )
    return loss, exposure, counted


def _amounts(
    row: Row, of: Of, loss: str | None, exposure: str | None, counted: tuple[str, ...] | None
) -> tuple[float, float] | None:
    """(exposure, loss) of a row, or None where they are no numbers, or cannot be."""
    if counted:
        counts = {name: _number(row[name] or "0") for name in counted}
        if any(count is None or count < 0 for count in counts.values()):
            return None
        known = {name: count or 0.0 for name, count in counts.items()}
        lost = known.get("scrap", 0.0) + (known.get("rework", 0.0) if of is Of.FPY else 0.0)
        return sum(known.values()), lost
    value, amount = _number(row[loss or ""]), 1.0 if exposure is None else _number(row[exposure])
    if value is None or amount is None or amount <= 0:
        return None
    if of in (Of.SCRAP, Of.FPY):
        return (amount, value) if 0 <= value <= amount else None
    if of is Of.DOWNTIME:
        return (amount, value) if value >= 0 else None
    return amount, value * amount


def _kinds(rows: Sequence[Row], names: Iterable[str], columns: Columns) -> tuple[list[str], list[str], list[str]]:
    """Columns that are factors, process values, and ids."""
    factors: list[str] = []
    values: list[str] = []
    ids: list[str] = []
    for name in names:
        cells = [row[name] for row in rows if row[name]]
        numbers = [_number(cell) for cell in cells]
        distinct = set(cells)
        numeric = bool(cells) and None not in numbers
        whole = numeric and all(float(number or 0).is_integer() for number in numbers)
        if name in columns.categories or not numeric or (whole and len(distinct) <= CATEGORIES_MAX):
            (ids if len(distinct) == len(rows) > CATEGORIES_MAX else factors).append(name)
        else:
            values.append(name)
    return factors, values, ids


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
