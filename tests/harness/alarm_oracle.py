"""What an alarm of a high limit does, second by second over the whole time line, written apart from the fold and slowly.

Every question is asked anew of all samples: nothing is remembered from one second to the next but whether there is an alarm.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Setting(NamedTuple):
    """All in seconds and units."""

    limit: float
    deadband: float
    on_delay: int
    off_delay: int
    latch: bool


class Seen(NamedTuple):
    """One occurrence. `told`: when the operator was first told; None: never."""

    start: int
    returned: int | None
    end: int | None
    told: int | None


def holds(samples: Mapping[int, float], setting: Setting, at: int) -> bool:
    """The last sample up to a second that is not inside the band decides: at or above the limit, or below the band."""
    decisive = [
        second
        for second, value in samples.items()
        if second <= at and (value >= setting.limit or value < setting.limit - setting.deadband)
    ]
    return bool(decisive) and samples[max(decisive)] >= setting.limit


def occurrences(
    samples: Mapping[int, float],
    setting: Setting,
    resets: Sequence[int],
    shelves: Sequence[tuple[int, int]],
    end: int,
) -> list[Seen]:
    """All that there are in [0, end)."""
    truth = [holds(samples, setting, at) for at in range(end)]
    seen: list[Seen] = []
    start: int | None = None
    returned: int | None = None
    for at in range(end):
        long_on = at >= setting.on_delay and all(truth[at - setting.on_delay : at + 1])
        long_off = at >= setting.off_delay and not any(truth[at - setting.off_delay : at + 1])
        if start is None and long_on:
            start, returned = at, None
        elif start is not None and returned is not None and long_on:
            returned = None
        elif start is not None and returned is None and long_off:
            returned = at
        over = at if setting.latch and at in resets else returned if not setting.latch else None
        if start is not None and returned is not None and over is not None:
            seen.append(_told(start, returned, over, shelves, end))
            start = None
    if start is not None:
        seen.append(_told(start, returned, None, shelves, end))
    return seen


def _told(start: int, returned: int | None, over: int | None, shelves: Sequence[tuple[int, int]], end: int) -> Seen:
    free = (
        at
        for at in range(start, end + 1 if over is None else over)
        if not any(begin <= at < until for begin, until in shelves)
    )
    return Seen(start, returned, over, next(free, None))
