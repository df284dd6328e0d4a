"""How a comparison of two definitions looks: tables for people, one JSON document for machines."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from schemas.text import iso
from topology.kpi.definition import Definition, Loss
from uns.history.kpi.diff import CLASSES, RATIOS, ComparedWindows, Moved, by_reason, together

MINUTE = 60_000_000


def document(
    rows: Sequence[ComparedWindows],
    a: Definition,
    b: Definition,
    raw_records: int,
    refused: dict[str, int],
    notes: list[str],
) -> dict[str, Any]:
    """Everything: times in µs, differences B − A, ratios' differences in percentage points."""
    return {
        "a": {"definition": a.label, "fingerprint": a.fingerprint},
        "b": {"definition": b.label, "fingerprint": b.fingerprint},
        "rows": [_row(row, a, b) for row in rows],
        "together_us": together(rows),
        "by_reason": [
            {"what": what, "class_a": class_a, "class_b": class_b, "count": count, "us": us}
            for what, class_a, class_b, count, us in by_reason(moved for row in rows for moved in row.stops)
        ],
        "raw_records": raw_records,
        "refused": refused,
        "notes": notes,
    }


def ratios(a: Definition, b: Definition) -> list[str]:
    """KPIs that both have and that are ratios: their difference is in points."""
    shared = [name for name in a.kpis if name in b.kpis and a.kpis[name].unit == b.kpis[name].unit == "1"]
    return [*RATIOS, *(name for name in shared if name not in RATIOS)]


def _row(row: ComparedWindows, a: Definition, b: Definition) -> dict[str, Any]:
    return {
        "path": row.path,
        "window": row.window,
        "window_name": row.name,
        "started_at": iso(row.start),
        "ended_at": iso(row.end),
        "windows": row.windows,
        "open_windows": row.open,
        "kpis": {
            name: {"a": row.a.values.get(name), "b": row.b.values.get(name), "points": row.points(name)}
            for name in ratios(a, b)
        },
        "a": {"element_us": dict(row.a.element_us), "class_us": dict(row.a.class_us), "values": dict(row.a.values)},
        "b": {"element_us": dict(row.b.element_us), "class_us": dict(row.b.class_us), "values": dict(row.b.values)},
        "difference_us": row.difference_us,
        "explained_by_stops_us": row.explained_us,
        "rest_us": row.rest_us,
        "stops": [_moved(moved) for moved in row.stops],
        "others": [_moved(moved) for moved in row.others],
    }


def _moved(moved: Moved) -> dict[str, Any]:
    cause = moved.cause
    return {
        "started_at": None if cause.started_at is None else iso(cause.started_at),
        "what": cause.what,
        "reason_code": cause.reason_code,
        "category": cause.category,
        "state": cause.state,
        "us": moved.us,
        "element_a": moved.element_a,
        "element_b": moved.element_b,
        "class_a": moved.class_a,
        "class_b": moved.class_b,
    }


def show(
    rows: Sequence[ComparedWindows],
    a: Definition,
    b: Definition,
    refused: dict[str, int],
    notes: list[str],
    console: Console,
    most: int,
) -> None:
    """A table a row of time and KPIs, then the stops that explain the difference, at most so many."""
    for row in rows:
        console.print(_title(row), style="bold")
        console.print(_kpis(row, a, b))
        console.print(_elements(row, a, b))
        console.print(_classes(row))
        for title, moved in (
            ("Stops that count otherwise", row.stops),
            ("Other time that counts otherwise", row.others),
        ):
            if moved:
                console.print(_moves(title, moved, most))
                if len(moved) > most:
                    console.print(f"… and {len(moved) - most} more; --show or --json")
        console.print()
    if len(rows) > 1:
        console.print("All together, by reason", style="bold")
        table = Table("reason", a.label, b.label, "stops", "min", box=None, pad_edge=False)
        for what, class_a, class_b, count, us in by_reason(moved for row in rows for moved in row.stops)[:most]:
            table.add_row(what, class_a, class_b, str(count), _minutes(us))
        console.print(table)
    for note in _notes(refused, notes):
        console.print(f"! {note}", markup=False, soft_wrap=True)


def _notes(refused: dict[str, int], notes: list[str]) -> Iterator[str]:
    yield from notes
    if refused:
        words = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
        yield f"in no number: raw records, or parts of them, refused as {words}"


def _title(row: ComparedWindows) -> str:
    name = f" {row.name}" if row.name else ""
    windows = f"{row.windows} × {row.window}" if row.windows > 1 else f"{row.window}{name}"
    windows += f" ({row.open} not over, as told last)" if row.open else ""
    return f"{row.path}  {windows}  {iso(row.start)[:16]}Z to {iso(row.end)[:16]}Z"


def _kpis(row: ComparedWindows, a: Definition, b: Definition) -> Table:
    table = Table("KPI", a.label, b.label, "points", box=None, pad_edge=False)
    for name in RATIOS:
        value_a, value_b, points = row.a.values.get(name), row.b.values.get(name), row.points(name)
        table.add_row(name, _ratio(value_a), _ratio(value_b), "–" if points is None else f"{points:+.2f}")
    return table


def _elements(row: ComparedWindows, a: Definition, b: Definition) -> Table:
    """Elements of both; those of one name side by side."""
    table = Table("element (min)", a.label, "", b.label, "", "difference", box=None, pad_edge=False)
    for name in dict.fromkeys((*row.a.element_us, *row.b.element_us)):
        us_a, us_b = row.a.element_us.get(name), row.b.element_us.get(name)
        if not us_a and not us_b:
            continue
        table.add_row(
            name,
            "–" if us_a is None else _minutes(us_a),
            a.elements[name].loss if name in a.elements else "",
            "–" if us_b is None else _minutes(us_b),
            b.elements[name].loss if name in b.elements else "",
            _signed((us_b or 0) - (us_a or 0)),
        )
    return table


def _classes(row: ComparedWindows) -> Table:
    table = Table(
        "loss class (min)", "A", "B", "difference", "by stops", "by other time", "rest", box=None, pad_edge=False
    )
    stops, rest, difference = row.explained_us, row.rest_us, row.difference_us
    others: dict[Loss, int] = {name: difference[name] - stops[name] - rest[name] for name in CLASSES}
    for name in CLASSES:
        us_a, us_b = row.a.class_us[name], row.b.class_us[name]
        if us_a or us_b:
            parts = (difference[name], stops[name], others[name], rest[name])
            table.add_row(name, _minutes(us_a), _minutes(us_b), *map(_signed, parts))
    return table


def _moves(title: str, moved: Sequence[Moved], most: int) -> Table:
    table = Table(
        "begins", "what", "min", "under A", "under B", box=None, pad_edge=False, title=title, title_justify="left"
    )
    for part in moved[:most]:
        begin = "" if part.cause.started_at is None else iso(part.cause.started_at)[:19] + "Z"
        table.add_row(
            begin,
            part.cause.what,
            _minutes(part.us),
            f"{part.element_a} ({part.class_a})",
            f"{part.element_b} ({part.class_b})",
        )
    return table


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"


def _minutes(us: int) -> str:
    return f"{us / MINUTE:,.2f}"


def _signed(us: int) -> str:
    return f"{us / MINUTE:+,.2f}" if us else "0"
