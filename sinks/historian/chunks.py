"""Samples of one tag packed into chunks: what a chunk holds, how chunks are cut, what goes where, which value stays. Pure.

A chunk is a row: consecutive samples of one tag, one UTC day and one origin, as arrays. Chunks of a tag never overlap, so
that each time of a tag stands in one place. A row a sample would take 80 bytes and more before anything is said of it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import lt
from typing import Any, Final, NamedTuple

from schemas.records import Value

Point = tuple[int, Value, int, int, int, int]
"""A sample: time in µs, value, quality, id of its origin, offset and sequence of its record."""
AT: Final = 0
VALUE: Final = 1
QUALITY: Final = 2
ORIGIN: Final = 3
OFFSET: Final = 4
SEQUENCE: Final = 5

DAY_US = 86_400_000_000
POINTS_MAX = 1_024
BYTES_MAX = 65_536
"""Of one chunk, and never less than one sample."""
FULL_BYTES = 8_192
"""A chunk of so many is never packed again."""
POINT_BYTES = 32
_INT32 = 2**31


class Chunk(NamedTuple):
    """A stored one, as its columns are."""

    tag: int
    first_at: int
    origin: int
    offset: int
    sequence: int
    at_us: Sequence[int]
    number: Sequence[float | None] | None
    integer: Sequence[int | None] | None
    text: Sequence[str | None] | None
    boolean: Sequence[bool | None] | None
    quality: Sequence[int] | None
    offsets: Sequence[int] | None
    sequences: Sequence[int] | None


def points(chunk: Chunk) -> list[Point]:
    """Its samples."""
    nothing = [None] * len(chunk.at_us)
    zeros = [0] * len(chunk.at_us)
    return [
        (
            chunk.first_at + at,
            number if number is not None else integer if integer is not None else text if text is not None else boolean,
            quality,
            chunk.origin,
            chunk.offset + offset,
            chunk.sequence + sequence,
        )
        for at, number, integer, text, boolean, quality, offset, sequence in zip(
            chunk.at_us,
            chunk.number or nothing,
            chunk.integer or nothing,
            chunk.text or nothing,
            chunk.boolean or nothing,
            chunk.quality or zeros,
            chunk.offsets or zeros,
            chunk.sequences or zeros,
            strict=True,
        )
    ]


def columns(found: Sequence[Point]) -> tuple[Any, ...]:
    """The columns of `Chunk` from `origin` on, as PostgreSQL reads them; None where an array would say nothing."""
    if len(found) == 1:  # as live data comes
        _, value, quality, origin, offset, sequence = found[0]
        held = [_one_of(kind, value, render) for kind, render in _RENDERED]
        return (origin, offset, sequence, "{0}", *held, f"{{{quality}}}" if quality else None, None, None)
    ats, values, qualities, origins, offsets, sequences = zip(*found, strict=True)
    first, offset, sequence = ats[0], offsets[0], sequences[0]
    kinds = set(map(type, values))
    return (
        origins[0],
        offset,
        sequence,
        _array([at - first for at in ats]),
        *(_of(kind, kinds, values, render) for kind, render in _RENDERED),
        _array(qualities) if any(qualities) else None,
        _array([each - offset for each in offsets]) if offsets[-1] != offset or len(set(offsets)) > 1 else None,
        _array([each - sequence for each in sequences])
        if sequences[-1] != sequence or len(set(sequences)) > 1
        else None,
    )


def _array(numbers: Iterable[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


def _of(kind: type, kinds: set[type], values: Sequence[Value], render: Any) -> str | None:
    if kind not in kinds:
        return None
    if len(kinds) == 1:
        return "{" + ",".join(map(render, values)) + "}"
    return "{" + ",".join([render(value) if type(value) is kind else "NULL" for value in values]) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_RENDERED: tuple[tuple[type, Any], ...] = ((float, repr), (int, str), (str, _quoted), (bool, str))
"""The columns of values, in their order."""


def _one_of(kind: type, value: Value, render: Any) -> str | None:
    return f"{{{render(value)}}}" if type(value) is kind else None


def size(found: Sequence[Point]) -> int:
    """Bytes, roughly, before the server compresses them."""
    if len(found) == 1:
        value = found[0][VALUE]
        return POINT_BYTES + (len(value) if isinstance(value, str) else 0)
    texts = [len(point[VALUE]) for point in found if isinstance(point[VALUE], str)]
    return POINT_BYTES * len(found) + sum(texts)


def newer(new: Point, old: Point, logs: Mapping[int, object]) -> bool:
    """Of two samples of one time: whether the first stays. `logs`: origin → the partition it is in; offsets compare
    within one only, and what comes later counts between two."""
    return logs[new[ORIGIN]] != logs[old[ORIGIN]] or new[OFFSET] >= old[OFFSET]


def settled(found: Sequence[Point], logs: Mapping[int, object], lost: list[Point]) -> Sequence[Point]:
    """In order of time, and one a time; the others, where they say something else, are added to `lost`."""
    if len(found) == 1:
        return found
    ats = [point[AT] for point in found]
    if all(map(lt, ats, islice(ats, 1, None))):
        return found
    kept: dict[int, Point] = {}
    for point in found:
        _settle(kept, point, logs, lost)
    return [kept[at] for at in sorted(kept)]


def merged(stored: Iterable[Point], new: Iterable[Point], logs: Mapping[int, object], lost: list[Point]) -> list[Point]:
    """As `settled`, of what is there and what comes."""
    kept = {point[AT]: point for point in stored}
    for point in new:
        _settle(kept, point, logs, lost)
    return [kept[at] for at in sorted(kept)]


def _settle(kept: dict[int, Point], point: Point, logs: Mapping[int, object], lost: list[Point]) -> None:
    old = kept.setdefault(point[AT], point)
    if old is point:
        return
    loser = point
    if newer(point, old, logs):
        kept[point[AT]], loser = point, old
    # By their texts: a NaN is no change of a NaN, while 1, 1.0 and true are not the same.
    if (repr(old[VALUE]), old[QUALITY]) != (repr(point[VALUE]), point[QUALITY]):
        lost.append(loser)


def cut(found: Sequence[Point]) -> Iterator[Sequence[Point]]:
    """Samples in order of time, as chunks."""
    if len(found) == 1 or _one(found):
        yield found
        return
    begin, bytes_ = 0, 0
    for number, point in enumerate(found):
        more = POINT_BYTES + (len(point[VALUE]) if isinstance(point[VALUE], str) else 0)
        if number > begin and (
            number - begin >= POINTS_MAX or bytes_ + more > BYTES_MAX or not _together(found[begin], point)
        ):
            yield found[begin:number]
            begin, bytes_ = number, 0
        bytes_ += more
    if found:
        yield found[begin:]


def _one(found: Sequence[Point]) -> bool:
    """Whether they make one chunk, as most do; asked of all at once, for each alone takes as long as all the rest."""
    if not 0 < len(found) <= POINTS_MAX or not _together(found[0], found[-1]) or size(found) > BYTES_MAX:
        return False
    _, _, _, origins, offsets, sequences = zip(*found, strict=True)
    return (
        len(set(origins)) == 1
        and max(offsets) - min(offsets) < _INT32
        and max(sequences) - min(sequences) < _INT32
    )  # fmt: skip


def _together(first: Point, point: Point) -> bool:
    return (
        first[ORIGIN] == point[ORIGIN]
        and first[AT] // DAY_US == point[AT] // DAY_US
        and abs(point[OFFSET] - first[OFFSET]) < _INT32
        and abs(point[SEQUENCE] - first[SEQUENCE]) < _INT32
    )


class Head(NamedTuple):
    """What is known of a stored chunk without reading it."""

    first_at: int
    last_at: int
    small: bool
    """Whether it takes more behind its end, where nothing follows."""


def placed(found: Sequence[Point], heads: Sequence[Head]) -> tuple[dict[int, list[Point]], list[list[Point]]]:
    """Where samples go among chunks that are there: those inside one, or behind a small one, by its first time; and the
    others, by the gap. `heads`: in order, without overlap."""
    firsts = [head.first_at for head in heads]
    inside: dict[int, list[Point]] = {}
    between: dict[int, list[Point]] = {}
    for point in found:
        place = bisect_right(firsts, point[AT]) - 1
        if place >= 0 and (point[AT] <= heads[place].last_at or heads[place].small):
            inside.setdefault(firsts[place], []).append(point)
        else:
            between.setdefault(place, []).append(point)
    return inside, list(between.values())
