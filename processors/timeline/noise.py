"""The noise floor of a KPI definition: stops and runs too short to be believed count as what was before them.

Stops first: one of at most stop_s between two runs is running. Then runs: one of at most run_s between two stops is part
of the stop. Time that is unknown, set up or maintained, and what lasts still, is never noise.
"""

from itertools import groupby

from processors.timeline.elements import Elements
from processors.timeline.timeline import Interval, Timeline, extended

RUN, STOP, OTHER = 0, 1, 2


def intervals(timeline: Timeline, elements: Elements, start: int, end: int, now: int) -> list[Interval]:
    """As `Timeline.intervals`, above the noise floor."""
    margin = elements.margin_us
    if not margin or start >= end:
        return timeline.intervals(start, end, now)
    # What is cut off at the edges of the wider stretch is long enough there, or too far away to matter.
    told = timeline.intervals(start - margin, min(end + margin, max(now, end)), now)
    told = above(told, elements)
    return _clipped(told, start, end)


def above(told: list[Interval], elements: Elements) -> list[Interval]:
    """Intervals in order without what is below the noise floor. What is cut off at the edges is taken as long enough."""
    told = _silence(told, elements, STOP, RUN, elements.noise_stop_us)
    return _silence(told, elements, RUN, STOP, elements.noise_run_us)


def _silence(told: list[Interval], elements: Elements, what: int, between: int, at_most_us: int) -> list[Interval]:
    """Counts short stretches of one sort between two of the other as what was before them."""
    if not at_most_us:
        return told

    def sort(interval: Interval) -> int:
        if elements.runs(interval.state, interval.mode):
            return RUN
        return STOP if elements.halts(interval.state, interval.mode) else OTHER

    stretches = [(kind, list(part)) for kind, part in groupby(told, key=sort)]
    made: list[Interval] = []
    for n, (kind, part) in enumerate(stretches):
        around = [other for other, _ in stretches[max(n - 1, 0) : n + 2 : 2]]
        if kind == what and around == [between, between] and part[-1].end - part[0].start <= at_most_us:
            before = made[-1]
            part = [interval._replace(state=before.state, mode=before.mode) for interval in part]
        made[-1:] = extended(made[-1], part) if made else part
    return made


def _clipped(told: list[Interval], start: int, end: int) -> list[Interval]:
    return [
        interval._replace(start=max(interval.start, start), end=min(interval.end, end))
        for interval in told
        if interval.start < end and interval.end > start
    ]
