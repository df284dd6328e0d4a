"""Writes rows that a target takes in batches, finds those that it does not take, and says what becomes of each record.

For targets where a row written twice is written once: a part of a batch is simply written again. A refused batch is
parted, by what the target names or else in the middle, until the guilty rows stand alone. A batch over which the target
breaks is written again as it is; only when that goes on it is parted, too. What it breaks over alone waits, and is guilty
only when it took others in the same calls.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from schemas.records import RAW_TYPES, Samples, Tick
from sinks.base import Deferred, Delivery, LeftBehind, Rejected, Retryable, Unwritten
from sinks.kit.suspects import Suspects

FAILURES_MAX = 32
"""Requests in a row over which the target broke, within one call: then it is the target."""
LEAST_PART = 100
"""Of the usual rows of a request: with fewer none begins, however often the target broke."""
CAREFUL_AFTER = 3
"""Calls in a row that broke, until the batch is parted."""


class Verdict(Enum):
    TAKEN = auto()
    REFUSED = auto()
    """Rows among them are not wanted."""
    PAST = auto()
    """Rows among them are older than what the target keeps."""
    FAILED = auto()
    """The target broke, or nothing came back: taken or not."""


@dataclass(frozen=True)
class Outcome:
    """Of one request. `guilty`: places of the rows that are meant, with words of their own where there are any; empty:
    the target does not say."""

    verdict: Verdict
    reason: str = ""
    words: str = ""
    guilty: Mapping[int, str] = field(default_factory=dict)


TAKEN = Outcome(Verdict.TAKEN)


@dataclass(slots=True)
class Row:
    """What is written of a record for one instant of one series: `key`. `content` is the writer's own affair."""

    delivery: Delivery
    key: Any
    content: Any
    size: int
    earlier: "Row | None" = None
    """Of the same key, in the same call; it counts only where this one is refused."""


Post = Callable[[Sequence[Row]], Awaitable[Outcome]]


@dataclass
class Batches:
    """`post` sends rows in one request; it raises `Retryable` for what every request would meet."""

    post: Post
    rows_max: int
    bytes_max: int
    suspects: Suspects
    broken: int = 0
    """Calls in a row over which the target broke."""
    rows_now: int = 0
    """Rows of a request: fewer while the target does not get through with more in time."""

    def __post_init__(self) -> None:
        self.rows_now = self.rows_max

    async def write(self, rows: Iterable[Row]) -> list[Unwritten]:
        """What is not durable when it returns, a record once. Raises `Retryable`, with whether some rows are durable."""
        call = _Call(self)
        try:
            await call.run(_newest(rows))
        except Retryable as error:
            error.progressed = error.progressed or call.taken
            raise
        self.broken = self.broken if call.failed else 0
        return call.unwritten()

    def parts(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """In order, each within the bounds; a row that is alone beyond them stands alone. Suspects stand apart."""
        apart = [row for row in rows if self.suspects.tried(_place(row.delivery))] if self.broken else []
        known = set(map(id, apart))
        for group in ([row for row in rows if id(row) not in known] if known else rows, apart):
            part, size = list[Row](), 0
            for row in group:
                if part and (len(part) >= self.rows_now or size + row.size > self.bytes_max):
                    yield part
                    part, size = [], 0
                part.append(row)
                size += row.size
            if part:
                yield part


def _place(delivery: Delivery) -> tuple[str, int, int]:
    return delivery.topic, delivery.partition, delivery.offset


def _newest(rows: Iterable[Row]) -> list[Row]:
    kept: dict[Any, Row] = {}
    for row in rows:
        row.earlier = kept.get(row.key)
        kept[row.key] = row
    return list(kept.values())


class _Call:
    """One call of `write`."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self.taken = False
        self.failed: list[tuple[Row, Outcome]] = []
        self._refused: dict[int, Rejected] = {}
        self._past: dict[int, LeftBehind] = {}
        self._in_row = 0
        self._broken = False
        self._cleared: set[tuple[str, int, int]] = set()
        """Records of which a row was taken."""

    async def run(self, rows: Sequence[Row]) -> None:
        fresh, waiting = self._batches.parts(rows), deque[list[Row]]()
        while part := waiting.popleft() if waiting else next(fresh, []):
            outcome = await self._batches.post(part)
            match outcome.verdict:
                case Verdict.TAKEN:
                    self._took(part)
                case Verdict.FAILED:
                    waiting += self._broke(part, outcome)
                case _:
                    self._in_row = 0
                    waiting += self._parted(part, outcome)

    def _took(self, part: Sequence[Row]) -> None:
        self.taken, self._in_row = True, 0
        batches = self._batches
        batches.rows_now = min(batches.rows_max, batches.rows_now + max(1, batches.rows_now // 10))
        if self._batches.broken:
            self._cleared.update(_place(row.delivery) for row in part)

    def _broke(self, part: list[Row], outcome: Outcome) -> list[list[Row]]:
        self._in_row += 1
        least = max(1, self._batches.rows_max // LEAST_PART)
        self._batches.rows_now = max(least, min(self._batches.rows_now, len(part) // 2))
        if not self._broken:
            self._broken = True
            self._batches.broken += 1
        if self._in_row > FAILURES_MAX or self._batches.broken < CAREFUL_AFTER:
            raise self._away(outcome)
        if len(part) == 1:
            self.failed.append((part[0], outcome))
            return []
        middle = len(part) // 2
        return [part[:middle], part[middle:]]

    def _away(self, outcome: Outcome) -> Retryable:
        return Retryable(outcome.words, self.taken)

    def _parted(self, part: list[Row], outcome: Outcome) -> list[list[Row]]:
        guilty = {place: words for place, words in outcome.guilty.items() if place < len(part)}
        if len(part) == 1 or (outcome.verdict is Verdict.PAST and len(guilty) == len(part)):
            return self._settled(part, outcome, guilty)
        if not guilty or len(guilty) == len(part):
            middle = len(part) // 2
            return [part[:middle], part[middle:]]
        named = [row for place, row in enumerate(part) if place in guilty]
        others = [row for place, row in enumerate(part) if place not in guilty]
        # Each of those that it names is asked for by itself; of those that are too old, all at once.
        apart = [named] if outcome.verdict is Verdict.PAST else [[row] for row in named]
        return [others, *apart]

    def _settled(self, part: list[Row], outcome: Outcome, guilty: Mapping[int, str]) -> list[list[Row]]:
        earlier = []
        for place, row in enumerate(part):
            words, of = guilty.get(place) or outcome.words, id(row.delivery)
            self._batches.suspects.done(_place(row.delivery))
            if outcome.verdict is Verdict.PAST:
                self._past.setdefault(of, LeftBehind(row.delivery, words))
            else:
                self._refused.setdefault(of, Rejected(row.delivery, outcome.reason, words))
            if row.earlier is not None:
                earlier.append([row.earlier])
        return earlier

    def unwritten(self) -> list[Unwritten]:
        """A verdict a record: refused before deferred, before left behind."""
        found: dict[int, Unwritten] = dict(self._past)
        broke = {id(row.delivery): (row.delivery, outcome) for row, outcome in self.failed}
        suspects, now = self._batches.suspects, time.monotonic()
        for place in self._cleared - {_place(delivery) for delivery, _ in broke.values()}:
            suspects.done(place)
        for of, (delivery, outcome) in broke.items():
            suspects.failed(_place(delivery), outcome.reason, outcome.words, now)
            blamed = suspects.blame(_place(delivery), now) if self.taken else None
            found[of] = Deferred(delivery, outcome.words) if blamed is None else Rejected(delivery, outcome.reason, blamed)  # fmt: skip
        return list((found | self._refused).values())


def series_rows(
    deliveries: Sequence[Delivery], of: Callable[[Delivery], Iterable[Row | str]]
) -> tuple[list[Row], dict[int, Unwritten]]:
    """(rows of all records, what of them is not written, by the identity of its delivery). `of`: the rows of one record, or
    why one cannot be. Facts are no time series."""
    rows: list[Row] = []
    unwritten: dict[int, Unwritten] = {}
    for delivery in deliveries:
        record = delivery.record
        if isinstance(record, RAW_TYPES) and not isinstance(record, Samples | Tick):
            unwritten[id(delivery)] = LeftBehind(delivery, f"a {type(record).__name__} is no time series")
            continue
        for row in of(delivery):
            if isinstance(row, Row):
                rows.append(row)
            else:
                unwritten[id(delivery)] = Rejected(delivery, "unfit", row)
    return rows, unwritten
