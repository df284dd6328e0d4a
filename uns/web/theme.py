"""One table of looks: every state has a colour, a glyph and a word, so that colour never stands alone.

Grey is normal background, saturated colour is for what needs a person (ISA-101); the hues follow IEC 60073.
Nothing known is drawn dashed and named, so that it can never be taken for running or stopped.
"""

from dataclasses import dataclass
from itertools import cycle

from topology.kpi.definition import Definition


@dataclass(frozen=True)
class StateLook:
    color: str
    glyph: str
    word: str
    dashed: bool = False


RUNNING = StateLook("#3f9c6b", "▶", "running")
STARTING = StateLook("#9cc9b0", "▷", "starting or stopping")
IDLE = StateLook("#cfd4da", "○", "idle")
STARVED = StateLook("#f0d58a", "⇠", "starved or blocked")
HELD = StateLook("#e5a23b", "‖", "held")
FAULT = StateLook("#cc3d3d", "✕", "fault")
STOPPED = StateLook("#7f8a99", "■", "stopped")
SETUP = StateLook("#5b86c9", "⚙", "setup")
MAINTENANCE = StateLook("#8a6fb3", "✚", "maintenance")
UNKNOWN = StateLook("#f4f4f2", "?", "no data", dashed=True)
NOT_OBSERVED = StateLook("#ffffff", "·", "nobody listened", dashed=True)

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
    shown, colors = list(_MADE), cycle(_OTHERS)
    for name, part in definition.elements.items():
        if part.loss not in ("none", "outside"):
            word, color = _ELEMENTS[name] if name in _ELEMENTS else (name.lower().replace("_", " "), next(colors))
            shown.append((name, word, color))
    return shown


ALERT_COLORS = {"critical": "#8f1d1d", "high": "#c23434", "medium": "#935a00", "low": "#5c6672"}
"""Dark enough for white text on them to be read (contrast 4.5 and more)."""
INK, FAINT, LINE = "#1f2933", "#6b7785", "#e3e6ea"

STYLE = """
body { background:#f6f7f8; color:#1f2933; font-feature-settings:"tnum"; }
.panel { background:#fff; border:1px solid #e3e6ea; border-radius:6px; padding:10px 14px; width:100%; min-width:0; }
.panel h3 { font-size:12px; font-weight:600; letter-spacing:.04em; text-transform:uppercase; color:#6b7785; margin:0 0 6px; line-height:1.4; }
.machines { display:grid; grid-template-columns:repeat(auto-fit,minmax(230px,1fr)); gap:12px; width:100%; }
.machine { background:#fff; border:1px solid #e3e6ea; border-radius:6px; overflow:hidden; }
.machine .bar { height:5px; background:var(--state); }
.machine.dashed { border-style:dashed; border-color:#8b949e; color:#6b7785; }
.machine.dashed .bar { background:repeating-linear-gradient(90deg,#b8bfc7 0 8px,#fff 8px 14px); }
.machine .head { display:flex; justify-content:space-between; padding:8px 12px 0; font-size:14px; }
.machine .word { font-size:12px; color:#3d4852; }
.machine .body { display:flex; gap:12px; padding:4px 12px; align-items:flex-end; }
.machine .oee { font-size:26px; font-weight:600; line-height:1.1; } .machine .oee small { display:block; font-size:10px; font-weight:400; color:#6b7785; }
.machine .facts { font-size:11px; color:#6b7785; text-align:right; flex:1; }
.machine .factors { display:flex; flex-wrap:wrap; gap:2px 10px; padding:4px 12px 9px; font-size:11px; color:#3d4852; }
.machine .coverage { padding:0 12px 9px; font-size:11px; color:#935a00; }
.alert { display:flex; gap:10px; align-items:flex-start; font-size:13px; flex:1; }
.alert .sev { background:var(--state); color:#fff; border-radius:3px; font-size:10px; padding:2px 6px; text-transform:uppercase; margin-top:2px; }
.alert small { color:#6b7785; }
.columns { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr)); gap:12px; width:100%; }
.frame { display:flex; flex-wrap:wrap; align-items:center; gap:2px 12px; min-height:48px; padding:4px 12px; border-bottom:1px solid #e3e6ea; }
.frame .choices { flex:1; } .plant-time { font-size:14px; white-space:nowrap; }
.banner { background:#8f1d1d; color:#fff; padding:6px 16px; width:100%; font-weight:600; }
.q-tree { font-size:12px; } .nicegui-content { padding:0; }
"""
"""What every screen looks like."""
