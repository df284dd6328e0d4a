"""Alarm rules for random histories: one of each kind, and of each way to behave; and what people say of them."""

import random
from typing import Any

from schemas.records import OutOfService, Shelve

QUIET = {"suppress_states": ["stopped", "idle"], "suppress_modes": ["maintenance"]}
ONE_OF_EACH: dict[str, Any] = {
    "volume": {"kind": "limit", "tag": "Volume", "hi": 505, "hihi": 512, "lo": 495, "deadband": 2, "group": "cooling"},
    "slow": {"kind": "limit", "tag": "Other", "hi": 0.4, "on_delay_s": 20, "off_delay_s": 300, "latch": True},
    "away": {
        "kind": "deviation",
        "tag": "Volume",
        "setpoint": "Other",
        "limit": 499,
        "deadband": 1,
        "latch": True,
        **QUIET,
    },
    "fast": {"kind": "rate", "tag": "Volume", "per_min": 2, "over_s": 10, "group": "cooling"},
    "stuck": {"kind": "state", "states": ["held", "stopped"], "longer_s": 240, "group": "cooling"},
    "jams": {"kind": "count", "states": ["held", "suspended"], "times": 2, "window_s": 3600, **QUIET},
    "rises": {"kind": "count", "tag": "Good", "reaches": 100, "times": 2, "window_s": 1800},
    "lost": {"kind": "missing", "tag": "Volume", "after_s": 90, "off_delay_s": 5},
    "poor": {"kind": "kpi", "kpi": "availability", "below": 0.7, "suppress_modes": ["setup"]},
}
"""By name, for machines with tags Volume, Good and a state."""


def any_shelve(chance: random.Random, start: int, end: int) -> Shelve:
    alarm = chance.choice(["*", "silent", "volume", "volume.hi", "jams", "cooling"])
    return Shelve(id=f"v{chance.randrange(3)}", alarm=alarm, started_at=start, ended_at=end, by="ann")


def any_out_of_service(chance: random.Random, start: int, end: int | None) -> OutOfService:
    alarm = chance.choice(["*", "breakdown", "stuck", "quality", "fast"])
    return OutOfService(id=f"u{chance.randrange(2)}", alarm=alarm, started_at=start, ended_at=end, by="ben")
