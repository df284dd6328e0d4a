"""The alert of a control chart: one a cause, with all the rules that it breaks, in the words of who stands at the machine."""

from datetime import UTC, datetime

from processors.cell.cell import Cell
from processors.derive import alert
from processors.spc import rules
from processors.spc.chart import Chart, Value
from processors.spc.control import Judged
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import View
from schemas.records import Derived

_SINGLE = (1, 11)
"""Rules about one point; they say most where several hold."""


def after(cell: Cell, chart: Chart, characteristic: str, value: Value, judged: Judged, view: View) -> list[Derived]:
    """What the alert says after one more point of the control phase."""
    fired, kind = judged.alarming, f"{alert.QUALITY}.{characteristic}"
    chart.quiet = 0 if fired else chart.quiet + 1
    chart.count(bool(fired) and chart.alert_from is None)
    if chart.alert_from is None:
        if not fired:
            return []
        chart.alert_from, chart.alert_rules = value.at, fired
        chart.alert_point = f"quality.{characteristic}" + (f".{value.inspection}" if value.inspection else "")
        chart.alert_message = _words(cell, chart, characteristic, judged)
        return _raise(cell, chart, characteristic, value.at, (value.offset, value.offset))
    if chart.quiet >= alert.CLEAR_AFTER:
        started_at, chart.alert_from = chart.alert_from, None
        return alert.end(cell, kind, started_at, value.at, value.at <= view.watermark)
    more = [rule for rule in fired if rule not in chart.alert_rules]
    if not more:
        return []
    chart.alert_rules = (*chart.alert_rules, *more)
    return _raise(cell, chart, characteristic, chart.alert_from, (value.offset, value.offset))


def stand(cell: Cell, chart: Chart, characteristic: str, view: View) -> list[Derived]:
    """Brings chart and ledger together: under another KPI definition an open alert is raised anew, and one that was
    published before the log's begin is taken over."""
    known = alert.standing(cell, f"{alert.QUALITY}.{characteristic}")
    if known is not None:
        if chart.alert_from != known.started_at:
            chart.alert_from, chart.alert_rules, chart.alert_message = known.started_at, (), _headline(known.message)
        return []
    if chart.alert_from is None:
        return []
    return _raise(cell, chart, characteristic, chart.alert_from, view.inputs(NO_OFFSET, NO_OFFSET))


def _raise(cell: Cell, chart: Chart, characteristic: str, at: int, inputs: tuple[int, int]) -> list[Derived]:
    names = ", ".join([rules.RULES[rule].name for rule in chart.alert_rules])
    message = chart.alert_message or f"{cell.path} {characteristic} is not as usual."
    return alert.publish(
        cell,
        f"{alert.QUALITY}.{characteristic}",
        at,
        None,
        False,
        inputs,
        severity="medium",
        subject=characteristic,
        message=f"{message}{_RULES}{names}",
        cause=cell.ledger.natural_id(chart.alert_point, at),
    )


_RULES = " Rules: "


def _headline(message: str) -> str:
    """A published message without its rules."""
    return message.partition(_RULES)[0]


def _words(cell: Cell, chart: Chart, characteristic: str, judged: Judged) -> str:
    """What was seen, since when, by how much, and what is usually the cause."""
    fired, limits = judged.alarming, judged.limits
    assert limits is not None
    main = rules.RULES[next((rule for rule in fired if rule in _SINGLE), fired[-1])]
    spec = cell.type.tags.get(characteristic)
    unit = ""
    if spec is not None and spec.role == "characteristic" and spec.unit and chart.plan.standardise != "z":
        unit = "" if chart.counted else f" {spec.unit}"
    since = judged.since if main.length > 1 or main.number in (rules.EWMA, rules.CUSUM) else None
    begun = "" if since is None else f" since {datetime.fromtimestamp(since / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{cell.path} {characteristic}: {main.seen}{begun}: {_amount(chart, judged, main, unit)}. Usual cause: {main.cause}."


def _amount(chart: Chart, judged: Judged, main: rules.Rule, unit: str) -> str:
    """By how much, beside what is usual."""
    limits, plotted = judged.limits, judged.plotted
    assert limits is not None
    if main.number == rules.SPREAD:
        low = "" if not limits.spread_lcl else f"{limits.spread_lcl:.4g} to "
        high = "?" if limits.spread_ucl is None else f"{limits.spread_ucl:.4g}"
        return f"spread {plotted.spread:.4g}{unit}, usually {low}{high}{unit}"
    if main.number == rules.CUSUM:
        low_sum = judged.low or 0.0
        side = "above" if plotted.value >= low_sum else "below"
        return f"{max(plotted.value, low_sum):.4g}{unit} in all {side} the target, usually up to {limits.ucl:.4g}{unit}"
    if main.length == 1:
        off, about = plotted.value - limits.centre, f"{plotted.value:.6g}{unit} is"
    else:
        last = chart.state.zs[-main.length :]
        off, about = sum(last) / len(last) * limits.error, "on average"
    usual = f"usual {limits.centre:.6g}{unit}"
    reach = "" if limits.lcl is None or limits.ucl is None else f" (from {limits.lcl:.6g} to {limits.ucl:.6g}{unit})"
    return f"{about} {abs(off):.3g}{unit} {'above' if off >= 0 else 'below'} the {usual}{reach}"
