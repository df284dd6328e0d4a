"""The board's charts as ECharts options: pure functions, so that a test can read what the screen draws."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.records import Oee, Quality
from topology.kpi.definition import Definition
from uns.web.line.board import Board, CellBoard
from uns.web.theme import FAINT, INK, LINE, LOOKS, StateLook, bars, look

MINUTE_US = 60_000_000
TIMELINE_US = 60 * MINUTE_US
"""How far back the state timeline reaches in plant time."""
FLAGGED = "#cc3d3d"
"""Of a point that somebody should look at."""

Options = dict[str, Any]

_BAND = """(params, api) => {
  const y = api.value(0), box = params.coordSys, height = api.size([0, 1])[1] * 0.62, unknown = api.value(4);
  const [left, middle] = api.coord([api.value(1), y]), [right] = api.coord([api.value(2), y]);
  const x = Math.max(left, box.x), width = Math.min(Math.max(right, left + 1), box.x + box.width) - x;
  return width > 0 && {type: 'rect', shape: {x, y: middle - height / 2, width, height},
    style: {fill: api.visual('color'), stroke: unknown ? '#8b949e' : null, lineDash: unknown ? [4, 3] : null}};
}"""


def timeline(board: Board, cells: Sequence[CellBoard]) -> Options:
    """One band a machine: its states over the last hour of plant time. What nobody knows is dashed."""
    begin, now = board.now - TIMELINE_US, board.now
    series: list[Options] = [
        {
            "type": "custom",
            "name": f"{shown.glyph} {shown.word}",
            ":renderItem": _BAND,
            "itemStyle": {"color": shown.color},
            "color": shown.color,
            "encode": {"x": [1, 2], "y": 0},
            "data": _intervals(cells, shown, begin, now),
        }
        for shown in LOOKS
    ]
    return {
        "animation": False,
        "grid": {"left": 76, "right": 16, "top": 42, "bottom": 24},
        "legend": {
            "data": [
                band["name"] for band in series if band["data"]
            ],  # those that occur: on a phone all would cover the chart
            "top": 0,
            "left": 0,
            "itemWidth": 12,
            "itemHeight": 10,
            "textStyle": {"color": FAINT, "fontSize": 11},
        },
        "tooltip": {
            ":formatter": "p => p.marker + p.value[3] + ' · ' + Math.round((p.value[2]-p.value[1])/6000)/10 + ' min'"
        },
        "xAxis": {
            "type": "time",
            "min": begin / 1000,
            "max": now / 1000,
            "axisLabel": {"hideOverlap": True},
            "splitLine": {"lineStyle": {"color": LINE}},
        },
        "yAxis": {
            "type": "category",
            "data": [cell.name for cell in cells],
            "inverse": True,
            "axisTick": {"show": False},
            "axisLine": {"show": False},
        },
        "series": series,
        "useUTC": True,
    }


def _intervals(cells: Sequence[CellBoard], shown: StateLook, begin: int, now: int) -> list[Options]:
    """What of [begin, now) µs has one look: row, from and to in ms, the state's word, whether it is dashed."""
    return [
        {
            "value": [
                row,
                max(state.started_at, begin) / 1000,
                min(state.ended_at or now, now) / 1000,
                state.state,
                int(shown.dashed),
            ]
        }
        for row, cell in enumerate(cells)
        for state in cell.states
        if look(state.state, state.mode) == shown
        and (state.ended_at or now) > begin
        and state.started_at < now
        and state.ended_at != state.started_at
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


def losses(windows: Sequence[tuple[str, Oee]], definition: Definition) -> Options:
    """Stacked minutes of planned time, one bar a machine: good production first, then what was lost and to what."""
    minutes = [losses_min(window, definition) for _, window in windows]
    return {
        "animation": False,
        "grid": {"left": 76, "right": 20, "top": 48, "bottom": 24},
        "legend": {
            "top": 0,
            "left": 0,
            "itemWidth": 12,
            "itemHeight": 10,
            "textStyle": {"color": FAINT, "fontSize": 11},
        },
        "tooltip": {
            "trigger": "axis",
            "axisPointer": {"type": "shadow"},
            ":valueFormatter": "v => v.toFixed(1) + ' min'",
        },
        "xAxis": {"type": "value", "name": "min", "splitLine": {"lineStyle": {"color": LINE}}},
        "yAxis": {
            "type": "category",
            "data": [name for name, _ in windows],
            "inverse": True,
            "axisTick": {"show": False},
        },
        "series": [
            {
                "type": "bar",
                "stack": "time",
                "name": word,
                "itemStyle": {"color": color},
                "barWidth": "58%",
                "data": [round(row[key], 2) for row in minutes],
            }
            for key, word, color in bars(definition)
        ],
    }


def pareto(board: Board, cells: Sequence[CellBoard], limit: int = 10) -> Options:
    """Stop minutes by reason, the worst first, with the cumulative share. A stop nobody explained is a bar like any other."""
    minutes: dict[str, float] = defaultdict(float)
    for cell in cells:
        for stop in cell.stops:
            end = stop.ended_at or board.now
            minutes[stop.reason or f"no reason ({stop.category or stop.state})"] += (
                max(end - stop.started_at, 0) / MINUTE_US
            )
    ranked = sorted(((value, name) for name, value in minutes.items() if value > 0), reverse=True)
    total = sum(value for value, _ in ranked)
    shown = ranked[:limit]
    running, cumulative = 0.0, []
    for value, _ in shown:
        running += value
        cumulative.append(round(100 * running / total, 1))
    return {
        "animation": False,
        "grid": {"left": 44, "right": 44, "top": 24, "bottom": 64},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "category",
            "data": [name for _, name in shown],
            "axisLabel": {"interval": 0, "rotate": 25, "fontSize": 11, "width": 110, "overflow": "truncate"},
        },
        "yAxis": [
            {"type": "value", "name": "min", "splitLine": {"lineStyle": {"color": LINE}}},
            {
                "type": "value",
                "max": 100,
                "min": 0,
                "axisLabel": {"formatter": "{value}%"},
                "splitLine": {"show": False},
            },
        ],
        "series": [
            {
                "type": "bar",
                "name": "minutes",
                "itemStyle": {"color": "#7f8a99"},
                "data": [round(v, 1) for v, _ in shown],
                "barMaxWidth": 36,
            },
            {
                "type": "line",
                "name": "cumulative %",
                "yAxisIndex": 1,
                "data": cumulative,
                "color": INK,
                "symbolSize": 5,
                "lineStyle": {"width": 1},
            },
        ],
    }


def control_chart(points: Sequence[Quality], targets: Mapping[tuple[str, str], float] | None = None) -> Options:
    """What is plotted, with centre line, control limits (dashed), specification limits and target (dotted). Of values that
    are taken together the last stands for all.

    A flagged point names its rules and the specification limit that it is beyond; what is wrong with the control limits
    stands above. `targets`: (path, characteristic) → value to aim at.
    """
    points = [point for point in points if not point.withdrawn and point.phase != "member"]
    marks = [] if not points else _levels(points[-1], targets or {})
    warning = (points[-1].limits_warning or "") if points else ""
    levels = [*(_plotted(point) for point in points), *(mark["yAxis"] for mark in marks)]
    margin = (max(levels) - min(levels)) * 0.06 if levels else 1
    return {
        "animation": False,
        "title": {"text": warning, "top": 0, "left": 56, "textStyle": {"fontSize": 11, "color": FLAGGED}},
        "grid": {"left": 56, "right": 78, "top": 20, "bottom": 24},
        "tooltip": {"trigger": "item"},
        "xAxis": {"type": "time", "splitLine": {"show": False}},
        "yAxis": {
            "type": "value",
            "min": round(min(levels) - margin, 4) if levels else None,
            "max": round(max(levels) + margin, 4) if levels else None,
            "splitLine": {"lineStyle": {"color": LINE}},
        },
        "series": [
            {
                "type": "line",
                "data": [_point(point) for point in points],
                "lineStyle": {"color": "#9aa5b1", "width": 1},
                "markLine": {"symbol": "none", "silent": True, "animation": False, "data": marks},
            }
        ],
        "useUTC": True,
    }


RULES = {0: "MR", 11: "WE1", 12: "WE2", 13: "WE3", 14: "WE4", 20: "EWMA", 21: "CUSUM"}
"""How a rule is called beside its point, where that is not its number."""
OF_VALUES = frozenset({"individuals", "mean_range", "mean_sd", "ewma"})
"""Charts that plot in the unit of the values."""


def _plotted(point: Quality) -> float:
    return point.value if point.plotted is None else point.plotted


def _point(point: Quality) -> Options:
    words = [RULES.get(rule, str(rule)) for rule in point.rules]
    if point.beyond is not None:
        words.append(point.beyond.upper())
    flagged = bool(words)
    return {
        "value": [point.started_at / 1000, _plotted(point)],
        "symbol": "diamond" if flagged else "circle",
        "symbolSize": 11 if flagged else 4,
        "itemStyle": {"color": FLAGGED if flagged else ("#9aa5b1" if point.phase == "baseline" else INK)},
        "label": {
            "show": flagged,
            "formatter": ",".join(words),
            "position": "top",
            "color": FLAGGED,
            "fontSize": 10,
        },
    }


def _of_values(newest: Quality, target: float | None) -> tuple[tuple[float | None, str, str], ...]:
    return (newest.usl, "USL", "dotted"), (newest.lsl, "LSL", "dotted"), (target, "target", "dotted")


def _levels(newest: Quality, targets: Mapping[tuple[str, str], float]) -> list[Options]:
    """The lines across the chart as the newest point knows them."""
    target = targets.get((newest.path, newest.characteristic))
    levels: tuple[tuple[float | None, str, str], ...] = (
        (newest.mean, "x̄", "solid"),
        (newest.ucl, "UCL", "dashed"),
        (newest.lcl, "LCL", "dashed"),
    )
    if newest.chart in OF_VALUES:
        levels += _of_values(newest, target)
    marks: list[Options] = []
    for value, name, style in levels:
        if value is not None:
            color = FAINT if style != "dotted" else "#8a6fb3"
            marks.append(
                {
                    "yAxis": value,
                    "name": name,
                    "lineStyle": {"type": style, "color": color},
                    "label": {"formatter": f"{name} {value:.4g}", "color": color},
                }
            )
    return marks
