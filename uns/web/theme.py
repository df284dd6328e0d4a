"""One table of looks: every state has a colour, a glyph and a word, so that colour never stands alone.

Grey is normal background, saturated colour is for what needs a person (ISA-101); the hues follow IEC 60073.
Nothing known is drawn dashed and named, so that it can never be taken for running or stopped.
"""

from dataclasses import dataclass
from itertools import cycle

from topology.kpi.definition import Definition


@dataclass(frozen=True)
class Look:
    color: str
    glyph: str
    word: str
    dashed: bool = False


RUNNING = Look("#3f9c6b", "▶", "running")
STARTING = Look("#9cc9b0", "▷", "starting or stopping")
IDLE = Look("#cfd4da", "○", "idle")
STARVED = Look("#f0d58a", "⇠", "starved or blocked")
HELD = Look("#e5a23b", "‖", "held")
FAULT = Look("#cc3d3d", "✕", "fault")
STOPPED = Look("#7f8a99", "■", "stopped")
SETUP = Look("#5b86c9", "⚙", "setup")
MAINTENANCE = Look("#8a6fb3", "✚", "maintenance")
UNKNOWN = Look("#f4f4f2", "?", "no data", dashed=True)

LOOKS = (RUNNING, STARTING, IDLE, STARVED, HELD, FAULT, STOPPED, SETUP, MAINTENANCE, UNKNOWN)

_BY_STATE = {
    "execute": RUNNING,
    "starting": STARTING,
    "completing": STARTING,
    "unholding": STARTING,
    "unsuspending": STARTING,
    "resetting": STARTING,
    "stopping": STARTING,
    "clearing": STARTING,
    "idle": IDLE,
    "complete": IDLE,
    "suspending": STARVED,
    "suspended": STARVED,
    "holding": HELD,
    "held": HELD,
    "aborting": FAULT,
    "aborted": FAULT,
    "stopped": STOPPED,
}


def look(state: str, mode: str = "production") -> Look:
    """How a machine state is drawn; what is not known at all looks like no data, never like running or stopped."""
    if state == "unknown":
        return UNKNOWN
    if mode == "setup":
        return SETUP
    if mode == "maintenance":
        return MAINTENANCE
    return _BY_STATE.get(state, UNKNOWN)


_MADE = [
    ("good", "good production", "#3f9c6b"),
    ("quality", "quality loss", "#b3476b"),
    ("speed", "speed loss", "#d9b25f"),
]
_ELEMENTS = {
    "ADET": ("stops", "#cc3d3d"),
    "AUST": ("setup", "#5b86c9"),
    "ADOT": ("no order", "#cfd4da"),
    "unknown": ("no data", "#e7e5de"),
}
_OTHERS = ("#cc3d3d", "#5b86c9", "#e5a23b", "#8a6fb0", "#7f8a99", "#4f9aa8")


def bars(definition: Definition) -> list[tuple[str, str, str]]:
    """Where a window's planned time went under a definition: key, word, colour. ISO 22400's have colours of their own."""
    found, colors = list(_MADE), cycle(_OTHERS)
    for name, part in definition.elements.items():
        if part.loss not in ("none", "outside"):
            word, color = _ELEMENTS[name] if name in _ELEMENTS else (name.lower().replace("_", " "), next(colors))
            found.append((name, word, color))
    return found


ALERT_COLORS = {"critical": "#8f1d1d", "high": "#cc3d3d", "medium": "#e5a23b", "low": "#7f8a99"}
INK, FAINT, LINE = "#1f2933", "#6b7785", "#e3e6ea"
