"""The fold's state as small keys, so that a transaction writes only what changed, and back again in any order.

Keys (path: of a cell, or of a line where facts are told):
  #              now, names of states and modes, the definition
  path|told      whether a shift and an order have ever been told for this line
  path|fact|…    one fact
  path|cell      what is small and changes with every sample: signs of life, newest values, what is not derived yet
  path|new|n     newest samples in order of arrival, chunk n
  path|hour|h    samples of hour h, packed, once it is past
  path|out|h     what was published with a begin in hour h, packed
  path|add|h     the same, what is newer than the packed
  path|chart|c   control chart of characteristic c
  path|line      of a line: up to when its bottlenecks are derived, and what changed late since
  path|parts|h   of a line: what each cell was to its bottlenecks in hour h
"""

from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from processors.cell.cell import Cell
from processors.inputs.facts import KINDS, Fact, Facts
from processors.inputs.journal import Line
from processors.inputs.series import Entry, Packed
from processors.output.ledger import Ledger
from processors.timeline import windows
from processors.units import HOUR, INF
from schemas.records import Sample, Value

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


def fact_key(path: str, kind: str, name: str) -> str:
    return f"{path}|fact|{kind}|{name}"


def encode_fact(fact: Fact, offset: int) -> bytes:
    return _encode((offset, fact))


def restore_facts(facts: Facts, parts: Mapping[str, bytes]) -> None:
    """Puts back the facts among a path's keys (what follows `path|`)."""
    for key, data in parts.items():
        if key.startswith("fact|"):
            kind = key.split("|")[1]
            offset, fact = _decode(data)
            facts.put(msgspec.convert(fact, KINDS[kind]), offset)


class Head(msgspec.Struct, array_like=True, gc=False):
    """What is the fold's own, and not a cell's."""

    now: int
    names: list[str]
    """Of states and modes."""
    definition: str
    fingerprint: str
    """Of the definition's content."""
    logged: int = 0
    """The latest `Input.logged_at` that was ahead of the tick before it."""


encode = msgspec.msgpack.Encoder().encode
decode_head = msgspec.msgpack.Decoder(Head).decode


def redefined(parts: dict[str, bytes], same_label: bool) -> list[str]:
    """Makes a cell's keys ready for a definition of other content; returns the keys dropped.

    Sums are judged anew. Under the same label what was published stays known, so that it is corrected; under another it
    is published anew, as far back as samples are kept.
    """
    if "cell" in parts:
        small = decode_small(parts["cell"])
        small.carry, small.sums = {}, None
        if same_label:
            small.touched = [(0, small.settled)]
        else:
            small.touched, small.settled, small.watermark = [], -INF, -INF
        parts["cell"] = _encode(small)
    gone = [] if same_label else [key for key in parts if key.startswith(("out|", "add|"))]
    for key in gone:
        del parts[key]
    return gone


def encode_told(shifts: bool, orders: bool) -> bytes:
    return _encode((shifts, orders))


def decode_told(data: bytes) -> tuple[bool, bool]:
    shifts, orders = _decode(data)
    return shifts, orders


def cell_changes(cell: Cell) -> Iterator[tuple[str, bytes | None]]:
    """Keys of a cell that changed since the last call; clears the marks."""
    path = cell.path
    for key in cell.gone:  # first: what came back since then is given again below
        yield f"{path}|{key}", None
    cell.gone.clear()
    yield f"{path}|cell", _encode(_small(cell))
    for number, data in cell.journal.save().items():
        yield f"{path}|new|{number}", data
    for key, value in cell.ledger.changes():
        yield f"{path}|{key}", value
    for hour in sorted(cell.packed_hours):
        found = {tag: packed for tag, series in cell.series.items() if (packed := series.packed(hour)) is not None}
        if found:
            yield f"{path}|hour|{hour}", _encode(found)
    cell.packed_hours.clear()
    for name, chart in cell.charts.items():
        if chart.changed:
            chart.changed = False
            yield f"{path}|chart|{name}", _encode(chart.dump())


class Small(msgspec.Struct, array_like=True, gc=False):
    """What of a cell is small and changes with every sample."""

    born: int | None
    settled: int
    watermark: int
    floor: int
    silent_from: int | None
    touched: list[tuple[int, int]]
    acknowledged: list[tuple[str, int, str]]
    replanned: bool
    fresh: bool
    starts: list[int]
    ends: list[int]
    newest: dict[str, tuple[int, Value, int]]
    """Tag → at, value, quality."""
    carries: dict[str, Entry]
    carry: dict[str, list[Any]]
    sums: tuple[int, int, list[Any]] | None
    last_good: tuple[int, str, str, int, int, int] | None = None


decode_small = msgspec.msgpack.Decoder(Small).decode


def _small(cell: Cell) -> Small:
    life = cell.timeline.life
    return Small(
        cell.born,
        cell.settled,
        cell.watermark,
        cell.floor,
        cell.silent_from,
        cell.touched,
        cell.acknowledged,
        cell.replanned,
        cell.fresh,
        life.starts,
        life.ends,
        {tag: (s.at, s.value, s.quality) for tag, slot in cell.tags.items() if (s := slot.newest) is not None},
        {tag: series.carry for tag, series in cell.series.items() if series.carry is not None},
        {label: windows.dump(groups) for label, groups in cell.carry.items()},
        None if (kept := cell.windows.newest) is None else (kept[0], kept[1], windows.dump(kept[2])),
        cell.last_good,
    )


def restore_cell(cell: Cell, parts: Mapping[str, bytes]) -> None:
    """Puts back a new cell from its keys (what follows `path|`), given in any order."""
    for key, data in parts.items():
        if key.startswith("hour|"):
            for tag, (block, last) in _decode(data).items():
                if tag in cell.series:
                    cell.series[tag].restore_hour(int(key[5:]), Packed(block, Entry(*last)))
    restore_ledger(cell.ledger, parts)
    lines: list[Line] = []
    for key, data in parts.items():
        if key.startswith("new|"):
            lines += cell.journal.restore(int(key[4:]), data)
        elif key.startswith("chart|"):
            cell.chart(key[6:]).load(_decode(data))
    for tag, at, value, offset in sorted(lines, key=itemgetter(1)):  # in order of time little is unpacked
        if tag in cell.series:
            cell.series[tag].add(at, value, offset)
    if "cell" in parts:
        _restore_small(cell, decode_small(parts["cell"]))


def restore_ledger(ledger: Ledger, parts: Mapping[str, bytes]) -> None:
    """Puts back a new ledger from the keys of its path (what follows `path|`)."""
    for hour in sorted({int(key[4:]) for key in parts if key.startswith(("out|", "add|"))}):
        ledger.restore(hour, parts.get(f"out|{hour}"), parts.get(f"add|{hour}"))


def _restore_small(cell: Cell, small: Small) -> None:
    life = cell.timeline.life
    cell.born, cell.settled, cell.watermark, cell.floor = small.born, small.settled, small.watermark, small.floor
    cell.silent_from, cell.touched, cell.acknowledged = small.silent_from, small.touched, small.acknowledged
    cell.replanned, cell.fresh, life.starts, life.ends = small.replanned, small.fresh, small.starts, small.ends
    if small.sums is not None:
        hour, done, rows = small.sums
        cell.windows.restore(hour, done, windows.load(rows))
    for tag, (at, value, quality) in small.newest.items():
        cell.slot(tag).newest = Sample(tag, at, value, quality)
    for tag, entry in small.carries.items():
        if tag in cell.series:
            cell.series[tag].carry = entry
    for series in cell.series.values():
        series.prune(cell.floor // HOUR)
    cell.last_good = small.last_good
    cell.carry = {label: windows.load(rows) for label, rows in small.carry.items()}
