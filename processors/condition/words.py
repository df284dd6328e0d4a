"""What a condition says to people: what was seen, since when, by how much, what follows, and what it usually is."""

from datetime import UTC, datetime, timedelta

from processors.condition.finding import Finding
from topology.model.condition import UseRule, WearRule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = {"cycle": "cycle time (share of the ideal)", "energy": "energy per piece"}


def moment(at: int) -> str:
    """Minutes are enough for what takes hours."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%d %H:%M UTC")


def lasting(seconds: float) -> str:
    """
    >>> lasting(5400.0), lasting(360_000.0), lasting(300.0)
    ('90 min', '4.2 days', '5 min')
    """
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def of_wear(found: Finding, rule: WearRule) -> str:
    """Sentences for a quantity that wears."""
    name = NAMES.get(found.subject, found.subject)
    value = found.value or 0.0
    text = f"{name} is {value:.4g}"
    if found.baseline is not None:
        text += f", {value - found.baseline:+.3g} from the {found.baseline:.4g} it had while all was well"
    if found.evidence_from is not None:
        text += f", since {moment(found.evidence_from)}"
    text += "."
    if found.zone in ("C", "D"):
        meaning = "not for long running" if found.zone == "C" else "damage is likely"
        text += f" That is zone {found.zone}: {meaning}."
    if found.remaining_s is not None and found.limit is not None:
        text += f" {_remaining(found)}"
    elif rule.limit is not None:
        text += f" No time is foretold for its limit of {rule.limit:.4g}: there is no significant trend yet."
    return text + (f" Usually: {rule.hint}." if rule.hint else "")


def _remaining(found: Finding) -> str:
    if not found.remaining_s:
        return f"It has reached its limit of {found.limit:.4g}."
    text = f"It comes to its limit of {found.limit:.4g} in about {lasting(found.remaining_s)}"
    if found.remaining_low_s is not None and found.confidence is not None:
        last = "no end in sight" if found.remaining_high_s is None else lasting(found.remaining_high_s)
        text += f" ({found.confidence:.0%}: {lasting(found.remaining_low_s)} to {last})"
    return text + "."


def of_use(found: Finding, rule: UseRule) -> str:
    """Sentences for maintenance that is due by use."""
    work = rule.work or "maintenance"
    text = f"{found.value or 0.0:.4g} of {rule.every:.4g} {rule.counts} since the last time: {work} "
    if (found.value or 0.0) >= rule.every:
        return f"{text}is due."
    return text + ("is due soon." if found.remaining_s is None else f"is due in about {lasting(found.remaining_s)}.")
