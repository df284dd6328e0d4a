"""The line's charts as data: pure functions, so that a test can read what the screen draws."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from schemas.records import Downtime, Oee, Quality
from topology.kpi.definition import Definition
from uns.web.board import Board, CellBoard
from uns.web.theme import bars, look

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
TIMELINE_US = 8 * HOUR_US
"""How far back the state timeline reaches in plant time; the screen shows a part of it."""
WAITING = frozenset({"suspending", "suspended", "unsuspending"})
"""States of a machine that waits for another one."""

Interval = tuple[int, int]


def timeline(board: Board, cells: Sequence[CellBoard]) -> list[dict[str, Any]]:
    """One band a machine: `[begin, end or null, look, state]` of each state in the time that is shown, in order. A state that
    lasted no time was taken back, and is left out."""
    begin = board.now - TIMELINE_US
    return [
        {
            "path": cell.path,
            "name": cell.name,
            "states": [
                [max(state.started_at, begin), state.ended_at, look(state.state, state.mode).key, state.state]
                for state in cell.states
                if (state.ended_at or board.now) > begin
                and state.started_at < board.now
                and state.ended_at != state.started_at
            ],
        }
        for cell in cells
    ]


def losses_min(window: Oee, definition: Definition) -> dict[str, float]:
    """Minutes of a window's planned time by where they went; speed loss below zero means a wrong ideal cycle."""
    elements = window.element_us
    running = sum(elements.get(name, 0) for name, part in definition.elements.items() if part.loss == "none")
    lost = [name for name, part in definition.elements.items() if part.loss not in ("none", "outside")]
    return {
        "good": window.ideal_good_us / MINUTE_US,
        "quality": (window.ideal_us - window.ideal_good_us) / MINUTE_US,
        "speed": (running - window.ideal_us) / MINUTE_US,
        **{name: elements.get(name, 0) / MINUTE_US for name in lost},
    }


def losses(windows: Sequence[tuple[str, Oee]], definition: Definition) -> dict[str, Any]:
    """Minutes of planned time, one bar a machine: good production first, then what was lost and to what. `begin` and `end`:
    of each window, which is still open where `end` is null or to come."""
    keys = bars(definition)
    return {
        "keys": [{"key": key, "token": token} for key, token in keys],
        "bars": [
            {
                "name": name,
                "begin": window.started_at,
                "end": window.ended_at,
                "window": window.window_name,
                "status": window.status,
                "minutes": [round(losses_min(window, definition)[key], 2) for key, _ in keys],
            }
            for name, window in windows
        ],
    }


def pareto(stops: Iterable[Downtime], begin: int, now: int) -> dict[str, Any]:
    """Stop minutes of a line by reason within [begin, now), the worst first, with the cumulative share.

    A minute counts once for a reason, however many machines have it at once: machines that wait for one fault wait
    together. What waits for another machine without a reason of its own is the consequence of a stop, not one more cause; it
    stands beside the ranking as `waiting`, in minutes of the line. A stop nobody explained is a bar like any other.
    """
    spans: dict[tuple[str | None, str], list[Interval]] = {}
    counts: dict[tuple[str | None, str], int] = {}
    waiting: list[Interval] = []
    for stop in stops:
        span = max(stop.started_at, begin), min(stop.ended_at or now, now)
        if span[0] >= span[1] or stop.withdrawn:
            continue
        if stop.reason is None and stop.state in WAITING:
            waiting.append(span)
            continue
        key = stop.reason, stop.category or stop.state
        spans.setdefault(key, []).append(span)
        counts[key] = counts.get(key, 0) + stop.new_reason
    ranked = sorted(((minutes(found), key) for key, found in spans.items()), key=lambda item: (-item[0], str(item[1])))
    total = sum(value for value, _ in ranked)
    running, bars = 0.0, []
    for value, key in ranked:
        running += value
        share = round(running / total, 4)
        bars.append(
            {"reason": key[0], "category": key[1], "minutes": round(value, 2), "count": counts[key], "share": share}
        )
    return {"begin": begin, "end": now, "total": round(total, 2), "waiting": round(minutes(waiting), 2), "bars": bars}


def minutes(spans: list[Interval]) -> float:
    """Minutes that are in any of the spans; what is in several counts once."""
    total, reached = 0, -1
    for begin, end in sorted(spans):
        total += max(end - max(begin, reached), 0)
        reached = max(reached, end)
    return total / MINUTE_US


RULES = {0: "MR", 11: "WE1", 12: "WE2", 13: "WE3", 14: "WE4", 20: "EWMA", 21: "CUSUM"}
"""How a rule is called beside its point, where that is not its number."""
OF_VALUES = frozenset({"individuals", "mean_range", "mean_sd", "ewma"})
"""Charts that plot in the unit of the values."""
GAP = 4
"""Times the usual distance of two points, beyond which no line is drawn between them."""


def control_chart(
    points: Sequence[Quality],
    targets: Mapping[tuple[str, str], float] | None = None,
    units: Mapping[tuple[str, str], str] | None = None,
) -> dict[str, Any]:
    """What is plotted, each point with the limits that judged it, so that limits which changed are drawn as they held. Of
    values that are taken together the last stands for all.

    A flagged point names its rules and the specification limit that it is beyond; what is wrong with the control limits
    stands in `warning`. `gap`: after this point nothing is known for a while. `targets`, `units`: (path, characteristic) →
    value to aim at, and unit of the axis, which is that of the values only for charts that plot in it.
    """
    points = [point for point in points if not point.withdrawn and point.phase != "member"]
    if not points:
        return {"points": [], "warning": None}
    newest = points[-1]
    key, of_values = (newest.path, newest.characteristic), newest.chart in OF_VALUES
    distances = sorted(after.started_at - point.started_at for point, after in pairwise(points))
    usual = distances[len(distances) // 2] if distances else 0
    return {
        "path": newest.path,
        "characteristic": newest.characteristic,
        "chart": newest.chart,
        "unit": (units or {}).get(key) if of_values else None,
        "usl": newest.usl if of_values else None,
        "lsl": newest.lsl if of_values else None,
        "target": (targets or {}).get(key) if of_values else None,
        "warning": newest.limits_warning,
        "limits_by": newest.limits_by,
        "limits_since": newest.limits_since,
        "limits_points": newest.limits_points,
        "points": [
            _point(point, after is not None and usual > 0 and after.started_at - point.started_at > GAP * usual)
            for point, after in zip(points, [*points[1:], None], strict=True)
        ],
    }


def _point(point: Quality, gap: bool) -> dict[str, Any]:
    words = [RULES.get(rule, str(rule)) for rule in point.rules]
    if point.beyond is not None:
        words.append(point.beyond.upper())
    return {
        "at": point.started_at,
        "value": point.value if point.plotted is None else point.plotted,
        "mean": point.mean,
        "lcl": point.lcl,
        "ucl": point.ucl,
        "phase": point.phase,
        "flags": words,
        "gap": gap,
    }
