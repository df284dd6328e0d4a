"""How an alarm system does, after EEMUA 191 and ISA-18.2 §16 as secondary sources tell them. Pure.

Counted are annunciations: what an operator was told. A flood begins with a stretch of ten minutes in which more than 10 were
told to one operator, and ends with the first in which fewer than 5 were. An alarm chatters that was told three times or more
within a minute, and is stale once it has stood for 24 hours.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MINUTE, TEN_MINUTES, HOUR, DAY = 60_000_000, 600_000_000, 3_600_000_000, 86_400_000_000
FLOOD_ABOVE, FLOOD_UNTIL_BELOW = 10, 5
CHATTER = 3
"""So many within a minute."""
TOP = 10
ACCEPTABLE_H, MANAGEABLE_H = 6.0, 12.0
"""Alarms an operator hour: very likely acceptable, and the most that can be managed; 1 and 2 in ten minutes."""
PRIORITIES = ("low", "medium", "high", "critical")
USUAL = {"low": 0.80, "medium": 0.15, "high": 0.05, "critical": 0.0}
"""Share of the annunciations by priority that is aimed at."""


class Annunciation(NamedTuple):
    """One time that an operator was told of an alarm; times µs."""

    at: int
    ended_at: int | None
    path: str
    alarm: str
    priority: str


class Flood(NamedTuple):
    """From the begin of its first ten minutes to that of the first calm ones; None: it lasts."""

    started_at: int
    ended_at: int | None
    alarms: int


class Source(NamedTuple):
    """One alarm of one machine, how often it was told, and which share of all that is; or the most within a minute."""

    path: str
    alarm: str
    times: int
    share: float


class Performance(NamedTuple):
    """Of [started_at, ended_at)."""

    started_at: int
    ended_at: int
    operators: float
    alarms: int
    per_operator_hour: float
    worst_ten_minutes: int
    floods: tuple[Flood, ...]
    flood_share: float
    """Part of the time that is in a flood; below 0.01 is aimed at."""
    top: tuple[Source, ...]
    top_share: float
    """What the ten that come most are of all; 0.01 to 0.05 is aimed at."""
    chattering: tuple[Source, ...]
    stale: tuple[Annunciation, ...]
    by_priority: dict[str, float]
    """Shares."""

    @property
    def verdict(self) -> str:
        """acceptable | manageable | too many"""
        if self.per_operator_hour <= ACCEPTABLE_H:
            return "acceptable"
        return "manageable" if self.per_operator_hour <= MANAGEABLE_H else "too many"


def performance(told: Iterable[Annunciation], start: int, end: int, operators: float = 1.0) -> Performance:
    """Of what was told in [start, end); what began before counts as stale only. Raises ValueError for an empty stretch."""
    if end <= start or operators <= 0:
        raise ValueError("a stretch of time and somebody who is told are needed")
    known = sorted(told, key=lambda of: (of.at, of.path, of.alarm))
    within = [of for of in known if start <= of.at < end]
    tens = Counter((of.at - start) // TEN_MINUTES for of in within)
    floods = _floods(tens, start, end, operators)
    sources = Counter((of.path, of.alarm) for of in within)
    ranked = sorted(sources.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    count = len(within)
    priorities = Counter(of.priority for of in within)
    return Performance(
        start,
        end,
        operators,
        count,
        count / ((end - start) / HOUR) / operators,
        max(tens.values(), default=0),
        floods,
        sum((end if of.ended_at is None else of.ended_at) - of.started_at for of in floods) / (end - start),
        tuple(Source(path, alarm, times, times / count) for (path, alarm), times in ranked),
        sum(times for _, times in ranked) / count if count else 0.0,
        _chattering(within),
        tuple(of for of in known if of.at < end and _stood(of, start, end) >= DAY),
        {name: priorities[name] / count for name in PRIORITIES} if count else {},
    )


def _floods(tens: Counter[int], start: int, end: int, operators: float) -> tuple[Flood, ...]:
    floods: list[Flood] = []
    begun, alarms = None, 0
    for n in range(-(-(end - start) // TEN_MINUTES)):
        each = tens[n] / operators
        if begun is None and each > FLOOD_ABOVE:
            begun, alarms = start + n * TEN_MINUTES, 0
        elif begun is not None and each < FLOOD_UNTIL_BELOW:
            floods.append(Flood(begun, start + n * TEN_MINUTES, alarms))
            begun = None
        alarms += tens[n]
    return (*floods, Flood(begun, None, alarms)) if begun is not None else tuple(floods)


def _chattering(within: Sequence[Annunciation]) -> tuple[Source, ...]:
    """Those that were told three times or more within a minute, with the most within one."""
    times: dict[tuple[str, str], list[int]] = {}
    for of in within:
        times.setdefault((of.path, of.alarm), []).append(of.at)
    found = []
    for (path, alarm), at in times.items():
        first = most = 0
        for last, moment in enumerate(at):
            while moment - at[first] > MINUTE:
                first += 1
            most = max(most, last - first + 1)
        if most >= CHATTER:
            found.append(Source(path, alarm, most, len(at) / len(within)))
    return tuple(sorted(found, key=lambda of: (-of.times, of.path, of.alarm)))


def _stood(of: Annunciation, start: int, end: int) -> int:
    """For how long it stood, as long as that is inside the stretch."""
    until = end if of.ended_at is None else min(of.ended_at, end)
    return until - of.at if until > start else 0
