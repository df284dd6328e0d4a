"""Stops by reason in a stretch of time, told from the published downtime records."""

from processors.output.ledger import Ledger
from schemas.records import Downtime

KIND = "downtime"
StopKey = tuple[int | None, str | None, str | None]
"""(reason code, reason, category)."""
Stops = dict[StopKey, list[int]]
"""→ [stops in which the reason began there, µs of them, stops in which its category began there]."""


def within(ledger: Ledger, start: int, end: int) -> Stops:
    """The stops of [start, end); one that lasts ends there. A stop in parts counts once for each reason and category."""
    stopped: Stops = {}
    before = ledger.start_before(KIND, start)
    for started_at in [*([] if before is None else [before]), *ledger.starts(KIND, start, end)]:
        known = ledger.get(KIND, started_at)
        if isinstance(known, Downtime):
            us = min(end if known.ended_at is None else known.ended_at, end) - max(started_at, start)
            if us > 0:
                key = (known.reason_code, known.reason, known.category)
                begins = started_at >= start
                merge(stopped, {key: [int(begins and known.new_reason), us, int(begins and known.new_category)]})
    return stopped


def merge(into: Stops, other: Stops) -> None:
    for key, (count, us, of_category) in other.items():
        mine = into.setdefault(key, [0, 0, 0])
        mine[0] += count
        mine[1] += us
        mine[2] += of_category
