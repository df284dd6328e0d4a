"""What an anomaly says to people: what was seen, since when, beside what is usual, by which model, and what it usually is."""

from processors.condition.finding import Finding
from processors.condition.words import moment
from topology.model.anomaly import AnomalyRule

SEEN = {
    "tag": "is not what it usually is",
    "group": "does not go together with the rest of its group as usual",
    "trees": "is part of a combination of values that was not seen before",
    "season": "is not what it usually is at this hour of the week",
}


def of_anomaly(found: Finding, rule: AnomalyRule) -> str:
    """Sentences for something unusual."""
    text = f"{found.subject} {SEEN[rule.kind]}"
    if found.evidence_from is not None:
        text += f", since {moment(found.evidence_from)}"
    text += f": it is {found.value or 0.0:.4g}"
    if found.baseline is not None:
        text += f", about {found.baseline:.4g} was to be expected"
    text += f". That is {found.score or 0.0:.1f} times its limit."
    text += f" {_model(found)}"
    return text + (f" Usually: {rule.hint}." if rule.hint else "")


def of_distrust(found: Finding) -> str:
    """Sentences for a model that alarms too often."""
    return (
        f"{found.subject} has told {found.value or 0.0:.0f} anomalies in 30 days; its budget is {found.limit or 0.0:g}. Until it has "
        f"learnt anew its anomalies are of low severity. What was usual has changed, or was not seen whole while it learnt: "
        f"report this record as done in a work order, or give it more to learn. {_model(found)}"
    )


def _model(found: Finding) -> str:
    if found.model is None or found.trained_from is None or found.trained_to is None:
        return ""
    return f"Model {found.model}, learnt from {moment(found.trained_from)} to {moment(found.trained_to)}."
