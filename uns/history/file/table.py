"""What was folded, for people: of each path its time by state, its stops and its OEE windows."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TypeVar

from rich.console import Console
from rich.table import Column, Table

from schemas.records import Derived, Downtime, Oee, Production, State
from schemas.text import moment
from uns.history.file.fold import Folded

RecordT = TypeVar("RecordT", bound=Derived)
MOST = 50
"""Rows of a table; --json has them all."""


def show(folded: Folded, console: Console) -> None:
    """`folded` holds the last revision of each record."""
    for path, records in groupby(sorted(folded.records, key=lambda r: r.path), key=lambda r: r.path):
        of_path = list(records)
        console.print(path, style="bold")
        for table in (_states(of_path), _stops(of_path), _windows(of_path)):
            if table.row_count:
                console.print(table)
        pieces = [r for r in of_path if isinstance(r, Production)]
        good, scrap = sum(r.good for r in pieces), sum(r.scrap for r in pieces)
        console.print(f"{good} good, {scrap} scrap, {sum(r.resets for r in pieces)} counter resets")
        console.print()
    if not folded.records:
        console.print("nothing follows from this file: it has no samples of a machine of the plant")


def _states(records: Iterable[Derived]) -> Table:
    table = _table("state", "mode", "time", "intervals")
    told: dict[tuple[str, str], list[int]] = {}
    for record in records:
        if isinstance(record, State) and record.ended_at is not None:
            told.setdefault((record.state, record.mode), []).append(record.ended_at - record.started_at)
    for (state, mode), times in sorted(told.items(), key=lambda item: -sum(item[1])):
        table.add_row(state, mode, _length(sum(times)), str(len(times)))
    return table


def _stops(records: Iterable[Derived]) -> Table:
    table = _table("stop", "from", "time", "reason", "category", "order")
    for record in _first(table, (r for r in records if isinstance(r, Downtime))):
        length = _length(record.ended_at - record.started_at) if record.ended_at is not None else "–"
        reason = record.reason or ("–" if record.reason_code is None else str(record.reason_code))
        row = (_time(record.started_at), length, reason, record.category or "–", record.order or "–")
        table.add_row(record.kind, *row)
    return table


def _windows(records: Iterable[Derived]) -> Table:
    table = _table("window", "from", "time", "A %", "P %", "Q %", "OEE %", "seen %", "good", "scrap", "unknown")
    order = ("shift", "order", "hour")
    windows = sorted(
        (r for r in records if isinstance(r, Oee)),
        key=lambda r: (order.index(r.window) if r.window in order else len(order), r.started_at),
    )
    for record in _first(table, windows):
        name = record.window if record.window_name is None else f"{record.window} {record.window_name}"
        ratios = (record.availability, record.performance, record.quality, record.oee)
        table.add_row(
            name,
            _time(record.started_at),
            _length(sum(record.element_us.values())),
            *("–" if ratio is None else f"{100 * ratio:.2f}" for ratio in (*ratios, record.coverage)),
            str(record.good),
            str(record.scrap),
            _length(record.element_us.get("unknown", 0)),
        )
    return table


def _table(*columns: str) -> Table:
    return Table(*(Column(name, no_wrap=True) for name in columns), box=None, pad_edge=False)


def _first(table: Table, records: Iterable[RecordT]) -> Iterator[RecordT]:
    """As many as a table shows; says how many more there are."""
    for n, record in enumerate(records):
        if n < MOST:
            yield record
        else:
            table.caption = f"… and {n + 1 - MOST} more; --json shows all"


def _time(at: int) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M:%S}Z"


def _length(micros: int) -> str:
    """`0:47:00`; parts of a second where there are any."""
    minutes, rest = divmod(micros, 60_000_000)
    seconds = f"{rest // 1_000_000:02}" + (f".{rest % 1_000_000:06}".rstrip("0") if rest % 1_000_000 else "")
    return f"{minutes // 60}:{minutes % 60:02}:{seconds}"
