"""One table of looks: every state has a colour, a glyph, a pattern and a word, so that colour never stands alone.

Two themes share the tokens: `isa101` is grey, and saturated only where somebody is needed; `stacklight` has the colours of the
lamp on the machine (hues after IEC 60073). Nothing known is drawn dashed and named, so that it can never be taken for
running or stopped.
"""

from dataclasses import dataclass
from itertools import cycle

from topology.kpi.definition import Definition


@dataclass(frozen=True)
class StateLook:
    key: str
    """Of its colours in both themes, and of its word in each language (`state.<key>`)."""
    glyph: str
    pattern: str = "plain"
    """plain, hatch, dots, cross, or dashed."""

    @property
    def dashed(self) -> bool:
        """Whether it says that nothing is known."""
        return self.pattern == "dashed"


RUNNING = StateLook("running", "▶")
STARTING = StateLook("starting", "▷", "dots")
IDLE = StateLook("idle", "○")
STARVED = StateLook("starved", "⇠", "dots")
HELD = StateLook("held", "‖", "hatch")
FAULT = StateLook("fault", "✕", "cross")
STOPPED = StateLook("stopped", "■", "hatch")
SETUP = StateLook("setup", "⚙", "cross")
MAINTENANCE = StateLook("maintenance", "✚", "cross")
UNKNOWN = StateLook("unknown", "?", "dashed")
NOT_OBSERVED = StateLook("not_observed", "·", "dashed")

LOOKS = (RUNNING, STARTING, IDLE, STARVED, HELD, FAULT, STOPPED, SETUP, MAINTENANCE, UNKNOWN, NOT_OBSERVED)

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


def look(state: str, mode: str = "production") -> StateLook:
    """How a machine state is drawn; what is not known at all looks like no data, never like running or stopped."""
    if state == "unknown":
        return NOT_OBSERVED if mode == "not_observed" else UNKNOWN
    if mode == "setup":
        return SETUP
    if mode == "maintenance":
        return MAINTENANCE
    return _BY_STATE.get(state, UNKNOWN)


_MADE = ["good", "quality", "speed"]
_OF_ISO = {"ADET": "stops", "AUST": "setup", "ADOT": "no_order", "unknown": "no_data"}
_OTHERS = ("other1", "other2", "other3", "other4", "other5", "other6")


def bars(definition: Definition) -> list[tuple[str, str]]:
    """Where a window's planned time went under a definition: key, and the token of its colour. ISO 22400's have tokens of
    their own, and with them words (`loss.<token>`)."""
    shown, others = [(key, key) for key in _MADE], cycle(_OTHERS)
    for name, part in definition.elements.items():
        if part.loss not in ("none", "outside"):
            shown.append((name, _OF_ISO[name] if name in _OF_ISO else next(others)))
    return shown


Colors = dict[str, tuple[str, str]]
"""Token → colour of an area, and of the text on it."""

_INK, _WHITE = "#1f2933", "#ffffff"
_SHARED: Colors = {
    "page": ("#f4f5f6", _INK),
    "panel": (_WHITE, _INK),
    "faint": (_WHITE, "#55606d"),
    "accent": (_WHITE, "#1f5288"),
    "chosen": ("#1f5288", _WHITE),
    "stale": ("#fff4d6", "#6b4700"),
    "banner": ("#8f1d1d", _WHITE),
    "critical": ("#8f1d1d", _WHITE),
    "high": ("#b52626", _WHITE),
    "medium": ("#8a5500", _WHITE),
    "low": ("#5c6672", _WHITE),
    "flagged": (_WHITE, "#b52626"),
    "loss-good": ("#8d99a6", _INK),
    "loss-quality": ("#a33b5f", _WHITE),
    "loss-speed": ("#d9b25f", _INK),
    "loss-stops": ("#b52626", _WHITE),
    "loss-setup": ("#3f6ea8", _WHITE),
    "loss-no_order": ("#cfd4da", _INK),
    "loss-no_data": ("#ecebe6", _INK),
    "loss-other1": ("#b52626", _WHITE),
    "loss-other2": ("#3f6ea8", _WHITE),
    "loss-other3": ("#e0a526", _INK),
    "loss-other4": ("#75569c", _WHITE),
    "loss-other5": ("#5c6773", _WHITE),
    "loss-other6": ("#2f7686", _WHITE),
    "unknown": ("#f4f4f2", "#4a545e"),
    "not_observed": (_WHITE, "#4a545e"),
    "idle": (_WHITE, _INK),
    "stopped": ("#5c6773", _WHITE),
    "maintenance": ("#75569c", _WHITE),
}
THEMES: dict[str, Colors] = {
    "isa101": _SHARED
    | {
        "running": ("#bcc5cd", _INK),
        "starting": ("#dfe4e8", _INK),
        "starved": ("#f3e2b3", _INK),
        "held": ("#e0a526", _INK),
        "fault": ("#b3261e", _WHITE),
        "setup": ("#3f6ea8", _WHITE),
    },
    "stacklight": _SHARED
    | {
        "running": ("#1e7d45", _WHITE),
        "starting": ("#a6d8b8", _INK),
        "starved": ("#f6e27a", _INK),
        "held": ("#f2b705", _INK),
        "fault": ("#c62828", _WHITE),
        "setup": ("#1f5fbf", _WHITE),
        "loss-good": ("#1e7d45", _WHITE),
    },
}
PATTERNS = {
    "hatch": "repeating-linear-gradient(45deg, transparent 0 6px, var(--grain) 6px 9px)",
    "dots": "radial-gradient(circle, var(--grain) 1.5px, transparent 1.8px) 0 0 / 8px 8px",
    "cross": "repeating-linear-gradient(45deg, transparent 0 8px, var(--grain) 8px 10px), "
    "repeating-linear-gradient(-45deg, transparent 0 8px, var(--grain) 8px 10px)",
}


def css() -> str:
    """Both themes as custom properties `--<token>` and `--<token>-ink`, and a class `look-<key>` for each state."""
    rules = []
    for number, (name, colors) in enumerate(THEMES.items()):
        told = "".join(f"--{token}:{area};--{token}-ink:{ink};" for token, (area, ink) in colors.items())
        rules.append(f"{':root,' if number == 0 else ''}[data-theme={name}]{{{told}}}")
    for shown in LOOKS:
        rules.append(f".look-{shown.key}{{--area:var(--{shown.key});--area-ink:var(--{shown.key}-ink)}}")
        if shown.pattern in PATTERNS:
            rules.append(f".look-{shown.key} .grain,.grain.look-{shown.key}{{background:{PATTERNS[shown.pattern]}}}")
    return "\n".join(rules) + "\n"


def looks() -> dict[str, dict[str, str]]:
    """Key → glyph and pattern, for what draws."""
    return {shown.key: {"glyph": shown.glyph, "pattern": shown.pattern} for shown in LOOKS}
