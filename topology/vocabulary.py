"""The words that decide something: states, modes, reason categories. A new one that has behaviour is listed here first.

States are a closed set. Modes and categories are open: a plant may have words of its own, which count as any other. But
another spelling of a listed word (`Production`, `break-down`) is no word of its own: it is refused where it stands.
"""

from collections.abc import Iterable, Mapping

from topology.namespace.packml import STATES
from topology.nearest import hint, misspelt

PRODUCTION, SETUP, MAINTENANCE = "production", "setup", "maintenance"
BREAKDOWN = "breakdown"
MODES: Mapping[str, str] = {
    PRODUCTION: "the machine produces when its state is one that the definition counts as running",
    SETUP: "being set up: no stop, and part of a changeover",
    MAINTENANCE: "being maintained: no stop; planned down time in most definitions",
    "manual": "run by hand: engineering time in semi-e79",
}
"""Unit mode → what it does. Any other mode is a stop, as far as no rule of the KPI definition names it."""
CATEGORIES: Mapping[str, str] = {
    BREAKDOWN: "raises an alert, opens a work order, counts in FE, TTR and CMT",
    MAINTENANCE: "counts in PMT",
    "planned": "a planned stop: outside planned time, or scheduled downtime, as the definition says",
    SETUP: "set-up and adjustment, as the definition says",
    "changeover": "as setup",
    "micro": "a minor stop, as the definition says",
    "material": "no material, or no room for it: no rule of a shipped definition names it",
}
"""Reason category → what it does. Any other category is shown, and counts as the definition's rules on `reason` say."""

INFERRED = ("internal", "material_flow", "stop")
"""Categories that a stop without a reason has by the state that began it, beside breakdown."""
CLOSED: Mapping[str, tuple[str, ...]] = {
    "status": ("provisional", "final", "corrected"),
    "severity": ("low", "medium", "high", "critical"),
    "window": ("hour", "shift", "order", "product", "day", "lot"),
}
"""Field of derived records → all words it can hold."""
OPEN: Mapping[str, tuple[str, ...]] = {
    "kind": (
        "open",
        "micro_stop",
        "stop",
        "breakdown",
        "silent",
        "quality",
        "implausible_count",
        "out_of_specification",
        *("limit", "deviation", "rate", "state", "count", "missing", "kpi"),
        *("wear", "creep", "maintenance", "anomaly", "model"),
        *("comment", "call", "scrap", "handover", "signature"),
    ),
    "state": (
        *sorted(STATES),
        *("raised", "acknowledged", "cleared", "shelved", "suppressed", "out_of_service"),
    ),
    "mode": tuple(MODES),
    "category": (*CATEGORIES, *INFERRED),
}
"""Field of derived records → words it often holds; others are possible."""


def checked_mode(word: str) -> str:
    """The word itself. Raises `ValueError` for another spelling of a mode that decides something."""
    return _own("mode", word, MODES)


def checked_category(word: str) -> str:
    """The word itself. Raises `ValueError` for another spelling of a category that decides something."""
    return _own("category", word, CATEGORIES)


def checked_state(word: str) -> str:
    """The word itself. Raises `ValueError` where it is no PackML state."""
    if word not in STATES:
        meant = misspelt(word, sorted(STATES))
        words = f"did you mean {meant!r}?" if meant is not None else f"there are {', '.join(sorted(STATES))}"
        raise ValueError(f"{word!r} is no PackML state; {words}")
    return word


def checked_field(field: str, word: str) -> str:
    """The word itself. Raises `ValueError` where a field of derived records never holds it, or most likely another."""
    if field in CLOSED and word not in CLOSED[field]:
        raise ValueError(f"{field} is never {word!r}; {hint(word, CLOSED[field])}")
    if (meant := misspelt(word, OPEN.get(field, ()))) is not None:
        raise ValueError(f"{field} is never {word!r}; did you mean {meant!r}?")
    return word


def _own(kind: str, word: str, known: Iterable[str]) -> str:
    meant = misspelt(word, known)
    if meant is not None:
        raise ValueError(
            f"{kind} {word!r} is not known, and nothing would count it as {meant!r}: write {meant!r}, "
            "or a word that is less like it"
        )
    return word
