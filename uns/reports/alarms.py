"""`uns alarms`: the alerts of a filter from their topic, which of them stand, and how the alarm system does."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from processors.alarms.performance import USUAL, Annunciation, Performance
from schemas.records import Alert
from schemas.text import iso

HIDDEN = ("shelved", "suppressed", "out_of_service")
RANK = ("critical", "high", "medium", "low")


def newest(records: Iterable[Any]) -> list[Alert]:
    """The newest revision of each alert that was not taken back."""
    known: dict[str, Alert] = {}
    for record in records:
        if isinstance(record, Alert):
            before = known.get(record.natural_id)
            if before is None or record.revision >= before.revision:
                known[record.natural_id] = record
    return [alert for alert in known.values() if not alert.withdrawn]


def open_alarms(alerts: Iterable[Alert]) -> list[Alert]:
    """The last occurrence of each alarm that stands, or that nobody has seen: what is shown first, the most urgent first."""
    last: dict[tuple[str, str], Alert] = {}
    for alert in alerts:
        key = alert.path, alert.alarm or alert.kind
        if key not in last or alert.started_at > last[key].started_at:
            last[key] = alert
    listed = [of for of in last.values() if of.state != "cleared" or of.alarm_state == "returned_unacknowledged"]
    return sorted(
        listed, key=lambda of: (of.state in HIDDEN, of.state == "cleared", RANK.index(of.severity), -of.started_at)
    )


def annunciations(alerts: Iterable[Alert]) -> list[Annunciation]:
    """What operators were told. Alerts of releases that hid nothing were told as they began."""
    told = []
    for of in alerts:
        at = of.started_at if of.alarm is None else of.annunciated_at
        if at is not None:
            told.append(Annunciation(at, of.ended_at, of.path, of.alarm or of.kind, of.severity))
    return told


def listing(alerts: Sequence[Alert], clock: Callable[[str, int], str]) -> str:
    """A table for people. `clock`: a time at a path, as people there write it."""
    if not alerts:
        return "no alarm stands"
    lines = []
    for of in alerts:
        since = clock(of.path, of.started_at)
        who = f" by {of.acknowledged_by}" if of.acknowledged_by else f" by {of.hidden_by}" if of.hidden_by else ""
        first = "  FIRST" if of.first_out else ""
        lines.append(f"{of.severity:<9} {of.alarm_state or of.state}{who}  since {since}  {of.message}{first}")
        lines.append(f"          {of.natural_id}")
    return "\n".join(lines)


def page(of: Performance, clock: Callable[[int], str]) -> str:
    """The figures for people, each beside what is aimed at. `clock` writes a time."""
    ended = [clock(flood.ended_at) if flood.ended_at is not None else "now" for flood in of.floods]
    lines = [
        f"{clock(of.started_at)} to {clock(of.ended_at)}, {of.operators:g} operator(s)",
        f"{of.alarms} alarms, {of.per_operator_hour:.1f} an operator hour: {of.verdict} (6 are acceptable, 12 manageable)",
        f"most in ten minutes: {of.worst_ten_minutes} (10 are the most)",
        f"in floods: {of.flood_share:.1%} of the time (below 1 %)",
        *(
            f"  flood of {flood.alarms} alarms, {clock(flood.started_at)} to {end}"
            for flood, end in zip(of.floods, ended, strict=True)
        ),
        f"the ten that come most: {of.top_share:.0%} of all (1 to 5 %)",
        *(f"  {source.times:>6} {source.share:>4.0%}  {source.path} {source.alarm}" for source in of.top),
        f"chattering, three or more in a minute: {len(of.chattering) or 'none'}",
        *(f"  {source.times:>6} in a minute  {source.path} {source.alarm}" for source in of.chattering),
        f"stale, 24 hours or longer: {len(of.stale) or 'none'}",
        *(f"  since {clock(stale.at)}  {stale.path} {stale.alarm}" for stale in of.stale),
    ]
    shares = ", ".join(f"{name} {share:.0%} (aim {USUAL[name]:.0%})" for name, share in of.by_priority.items())
    return "\n".join([*lines, f"by priority: {shares or 'none'}"])


def document(of: Performance) -> dict[str, Any]:
    """The figures for programs, times in UTC."""

    def plain(at: int | None) -> str | None:
        return None if at is None else iso(at)

    return {
        "from": plain(of.started_at),
        "to": plain(of.ended_at),
        "operators": of.operators,
        "alarms": of.alarms,
        "per_operator_hour": of.per_operator_hour,
        "verdict": of.verdict,
        "worst_ten_minutes": of.worst_ten_minutes,
        "flood_share": of.flood_share,
        "floods": [{"from": plain(f.started_at), "to": plain(f.ended_at), "alarms": f.alarms} for f in of.floods],
        "top_share": of.top_share,
        "top": [source._asdict() for source in of.top],
        "chattering": [{"path": s.path, "alarm": s.alarm, "in_a_minute": s.times} for s in of.chattering],
        "stale": [{"path": s.path, "alarm": s.alarm, "since": plain(s.at)} for s in of.stale],
        "by_priority": of.by_priority,
    }
