"""What a work unit does for its line: it runs, is halted, or waits; and whether it waits blocked or starved.

Active in the sense of Roser's active period method is all but waiting: work, breakdown, repair, setup. Waiting is PackML's
Suspended, which says no more than that the cause is outside, and Idle with an order on the machine. Neither is what is
outside planned time, without anything to make, or not known.
"""

from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

from processors.inputs.schedule import BUSY
from processors.timeline.elements import BREAKDOWN_STATES, MAINTENANCE, SETUP, UNKNOWN, Elements

SUSPENDED = frozenset({"suspending", "suspended", "unsuspending"})


class Activity(IntEnum):
    RUNS = 0
    HALTED = 1
    """Active, and nothing comes out: broken down, held, stopped, being set up or maintained."""
    WAITS = 2
    NEITHER = 3

    @property
    def active(self) -> bool:
        return self in (Activity.RUNS, Activity.HALTED)


class Stretch(NamedTuple):
    """[start, end) of one activity."""

    start: int
    end: int
    activity: Activity


def activity(elements: Elements, state: str, mode: str, order: bool, status: str) -> Activity:
    """`order`: one is on the machine, or none are ever told; `status`: as in processors.inputs.schedule."""
    if status != BUSY or state == UNKNOWN:
        return Activity.NEITHER
    if mode in (SETUP, MAINTENANCE):
        return Activity.HALTED
    if elements.runs(state, mode):
        return Activity.RUNS
    if state in BREAKDOWN_STATES:
        return Activity.HALTED
    if not order:
        return Activity.NEITHER
    return Activity.WAITS if state in SUSPENDED or state == "idle" else Activity.HALTED


def blocked_and_starved(flow: Sequence[Sequence[Stretch]], ideal_us: Sequence[int]) -> list[tuple[int, int]]:
    """(µs blocked, µs starved) of each work unit, from the stretches of all in the order of the flow.

    A wait has one cause, whichever side stood longer meanwhile: downstream, then the unit is blocked, or upstream, then it
    is starved. A side stands while its nearest unit that does not wait itself is halted; where both do, the nearer one
    counts. Where neither ever stood the line's pace decides: units before the slowest are blocked, all others starved.
    """
    waits_us = []
    for n, stretches in enumerate(flow):
        blocked = starved = 0
        for wait in stretches:
            if wait.activity is Activity.WAITS:
                if _blocks(flow, ideal_us, n, wait):
                    blocked += wait.end - wait.start
                else:
                    starved += wait.end - wait.start
        waits_us.append((blocked, starved))
    return waits_us


def _blocks(flow: Sequence[Sequence[Stretch]], ideal_us: Sequence[int], n: int, wait: Stretch) -> bool:
    near = [[s for s in other if s.start < wait.end and s.end > wait.start] for other in flow]
    edges = {wait.start, wait.end}
    for other in near:
        edges.update(edge for s in other for edge in (s.start, s.end) if wait.start < edge < wait.end)
    down_us = up_us = 0
    for start, end in pairwise(sorted(edges)):
        down = _stands(near[n + 1 :], start)
        up = _stands(near[:n][::-1], start)
        if down is not None and (up is None or down <= up):
            down_us += end - start
        if up is not None and (down is None or up <= down):
            up_us += end - start
    if down_us != up_us:
        return down_us > up_us
    slowest = max(ideal_us[n + 1 :], default=0)
    return slowest > ideal_us[n] and slowest > max(ideal_us[:n], default=0)


def _stands(side: Sequence[Sequence[Stretch]], at: int) -> int | None:
    """How far away the unit is that holds a side up at an instant; None where none does."""
    for distance, stretches in enumerate(side):
        here = next((s.activity for s in stretches if s.start <= at < s.end), Activity.NEITHER)
        if here is not Activity.WAITS:
            return distance if here is Activity.HALTED else None
    return None


def turning_point(blocked_and_starved_us: Sequence[tuple[int, int]]) -> int | None:
    """Index of the only turning point (Li, Chang, Ni 2009): before it units are blocked more than starved, after it
    starved more than blocked, and it waits less than its neighbours. None where there is none, or more than one."""
    waits = [blocked + starved for blocked, starved in blocked_and_starved_us]
    last = len(waits) - 1
    candidates = [
        n
        for n in range(last + 1)
        if all(blocked > starved for blocked, starved in blocked_and_starved_us[:n])
        and all(blocked < starved for blocked, starved in blocked_and_starved_us[n + 1 :])
        and all(waits[n] < waits[other] for other in (n - 1, n + 1) if 0 <= other <= last)
    ]
    return candidates[0] if len(candidates) == 1 and last > 0 else None
