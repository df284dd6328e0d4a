"""The truth check: what the namespace says against what the plant knows it did. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from schemas.records import Alert, Derived, Downtime, Oee, Production, Quality, State
from topology.namespace.classes import MessageClass
from uns.demo.evidence import Evidence
from uns.demo.findings import findings
from uns.demo.plant.truth import Truth

SECOND_US = 1_000_000
CLOSED = ("final", "corrected")


def compare(namespace: Evidence, truth: Truth) -> dict[str, Any]:
    """Every figure of the closing box; errors are absolute. Windows count once they are closed and lie inside the run."""
    oee_error, windows = _oee(namespace.of(MessageClass.OEE), truth)
    good, scrap = _counts(namespace.of(MessageClass.PRODUCTION), truth)
    return {
        "good_count_error": good,
        "scrap_count_error": scrap,
        "state_time_error_s_max": _state_time(namespace.of(MessageClass.STATE), truth),
        "oee_error_max": oee_error,
        "oee_windows": windows,
        "breakdowns_true": len(truth.breakdowns),
        "breakdowns_found": _breakdowns(namespace.of(MessageClass.DOWNTIME), truth),
        "drift_flagged": _drifts(namespace.of(MessageClass.QUALITY), truth),
        "drift_alerted": _alerted(namespace, truth),
        "silent_machine_unknown": _silences(namespace, truth),
        **findings(namespace, truth),
    }


def _counts(records: Iterable[Derived], truth: Truth) -> tuple[int, int]:
    """Sum over the machines of |pieces found − pieces made|: a machine's surplus does not hide another's loss."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for record in records:
        if isinstance(record, Production):
            counted[record.path][0] += record.good
            counted[record.path][1] += record.scrap
    good = scrap = 0
    for path in truth.machines:
        made = truth.counts(path, truth.start_us, truth.end_us)
        good += abs(counted[path][0] - made[0])
        scrap += abs(counted[path][1] - made[1])
    return good, scrap


def _state_time(records: Iterable[Derived], truth: Truth) -> float:
    """Largest difference of time in any state of any machine over the run, in seconds of plant time."""
    derived: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for record in records:
        if isinstance(record, State):
            begin = max(record.started_at, truth.start_us)
            end = min(record.ended_at if record.ended_at is not None else truth.end_us, truth.end_us)
            if end > begin:
                derived[record.path][record.state] += end - begin
    worst = 0
    for path in truth.machines:
        real = truth.state_us(path, truth.start_us, truth.end_us)
        for state in real.keys() | derived[path].keys():
            worst = max(worst, abs(real.get(state, 0) - derived[path].get(state, 0)))
    return worst / SECOND_US


def _oee(records: Iterable[Derived], truth: Truth) -> tuple[float | None, int]:
    """Largest difference of A, P, Q or OEE in any closed hour or shift that lies inside the run."""
    worst, windows = 0.0, 0
    for record in records:
        if not isinstance(record, Oee) or record.window not in ("hour", "shift") or record.status not in CLOSED:
            continue
        if record.ended_at is None or record.started_at < truth.start_us or record.ended_at > truth.end_us:
            continue
        windows += 1
        real = truth.oee(record.path, record.started_at, record.ended_at)
        for name in ("availability", "performance", "quality", "oee"):
            ours, theirs = getattr(record, name), real[name]
            if (ours is None) != (theirs is None):
                return 1.0, windows
            if ours is not None and theirs is not None:
                worst = max(worst, abs(ours - theirs))
    return (worst, windows) if windows else (None, 0)


def _breakdowns(records: Iterable[Derived], truth: Truth) -> int:
    """How many real breakdowns have exactly one stop of that category that overlaps; a stop invented counts against them."""
    stops = [
        record
        for record in records
        if isinstance(record, Downtime)
        and record.category == "breakdown"
        and record.new_category
        and record.ended_at != record.started_at
    ]
    matched = 0
    for path, begin, end in truth.breakdowns:
        last = truth.end_us if end is None else end
        matched += (
            sum(
                stop.path == path and stop.started_at < last and (stop.ended_at is None or stop.ended_at > begin)
                for stop in stops
            )
            == 1
        )
    return matched - max(0, len(stops) - len(truth.breakdowns))


def _drifts(records: Iterable[Derived], truth: Truth) -> bool:
    """Whether each drift that began in the run was flagged by a point after its begin."""
    flagged = {(r.path, r.characteristic, r.started_at) for r in records if isinstance(r, Quality) and r.rules}
    return all(
        any(path == place and name == characteristic and at >= begin for place, name, at in flagged)
        for path, characteristic, begin in truth.drifts
    )


def _alerted(namespace: Evidence, truth: Truth) -> bool:
    """Whether each drift is under an alert; one that left the specification under one that says so."""
    alerts = [r for r in namespace.of(MessageClass.ALERT) if isinstance(r, Alert) and r.ended_at != r.started_at]
    beyond = {(r.path, r.characteristic, r.started_at) for r in _points(namespace) if r.beyond is not None}
    for path, characteristic, begin in truth.drifts:
        kinds = {
            alert.kind
            for alert in alerts
            if (alert.path, alert.subject) == (path, characteristic)
            and (alert.ended_at is None or alert.ended_at > begin)
        }
        left = any(place == path and name == characteristic and at >= begin for place, name, at in beyond)
        if not kinds or (left and "out_of_specification" not in kinds):
            return False
    return True


def _points(namespace: Evidence) -> list[Quality]:
    return [record for record in namespace.of(MessageClass.QUALITY) if isinstance(record, Quality)]


def _silences(namespace: Evidence, truth: Truth) -> bool:
    """Whether each silence is `unknown` for its whole length but for the time that tells silence from a pause, and alerted."""
    states = [
        record for record in namespace.of(MessageClass.STATE) if isinstance(record, State) and record.state == "unknown"
    ]
    alerts = [
        record for record in namespace.of(MessageClass.ALERT) if isinstance(record, Alert) and record.kind == "silent"
    ]
    for path, begin, end in truth.silences:
        last = truth.end_us if end is None else min(end, truth.end_us)
        unknown = sum(
            max(0, min(state.ended_at if state.ended_at is not None else last, last) - max(state.started_at, begin))
            for state in states
            if state.path == path
        )
        if unknown < (last - begin) * 0.9 or not any(alert.path == path for alert in alerts):
            return False
    return True
