"""What a quality record says of one point of a chart."""

from collections.abc import Mapping
from typing import Any

from processors.spc.chart import Chart, Value
from processors.spc.control import Judged

COUNT_MAX = 1e15
"""Counts, and what they are of, stay below."""


def impossible(chart: Chart, value: float, size: float) -> str | None:
    """Why a value can be no count on its chart; None where it can, and on every other chart."""
    if not chart.counted:
        return None
    if not 0 <= value <= COUNT_MAX:
        return f"counts are 0 to {COUNT_MAX:g}"
    if chart.plan.kind in ("p", "np", "laney_p") and value > (of := size or chart.plan.size):
        return f"there are {of:g} items; state its size"
    return None


def content_of(chart: Chart, characteristic: str, value: Value, phase: str, judged: Judged | None) -> Mapping[str, Any]:
    """What the record says: by the limits that judged the point, if any did."""
    specification, standard = chart.specification, chart.state.standard
    content: dict[str, Any] = {
        "characteristic": characteristic,
        "value": value.value,
        "moving_range": None,
        "phase": phase,
        "mean": None,
        "lcl": None,
        "ucl": None,
        "range_ucl": None,
        "lsl": specification.lsl,
        "usl": specification.usl,
        "rules": (),
        "beyond": None if chart.counted else specification.broken(value.value),
        "limits_warning": chart.warning,
        "chart": chart.plan.kind,
        "size": value.size or chart.plan.size if chart.counted else None,
    }
    if phase == "unknown":
        content["limits_warning"] = impossible(chart, value.value, value.size) or (
            f"no target for product {chart.product}"
            if chart.product is not None
            else "no order says which product it is"
        )
    limits = None if judged is None else judged.limits
    if judged is None and phase == "late" and standard is not None and not chart.counted:
        limits = chart.control.limits(standard, 1.0)
    if judged is not None:
        plotted = judged.plotted
        individual = chart.plan.kind == "individuals"
        content |= {
            "rules": judged.rules,
            "alarming": judged.alarming,
            "outliers": judged.outliers,
            "moving_range": plotted.spread if individual else None,
            "spread": None if individual else plotted.spread,
            "plotted": None if plotted.value == value.value else plotted.value,
            "plotted_low": judged.low,
            "size": plotted.size if chart.counted or plotted.size > 1 else None,
        }
    if limits is not None and standard is not None:
        margin = None if judged is None or judged.margin is None else judged.margin * limits.error
        content |= {
            "mean": limits.centre,
            "lcl": limits.lcl,
            "ucl": limits.ucl,
            "range_ucl": limits.spread_ucl,
            "spread_mean": limits.spread_centre,
            "spread_lcl": limits.spread_lcl,
            "sigma": None if chart.plan.kind in ("p", "np", "c", "u") else standard.sigma,
            "alert_lcl": None if margin is None or limits.lcl is None else limits.centre - margin,
            "alert_ucl": None if margin is None or limits.ucl is None else limits.centre + margin,
            "limits_by": standard.name or "learnt",
            "limits_since": standard.since or None,
            "limits_points": standard.points or None,
        }
    return content
