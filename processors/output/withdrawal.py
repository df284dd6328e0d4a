"""What of a record must not count any more once it is taken back."""

from typing import Any

from schemas.records import (
    Alert,
    Bottleneck,
    Capability,
    Changeover,
    Condition,
    Cycle,
    Derived,
    Kpi,
    Oee,
    Prediction,
    Production,
    Quality,
)

_SHARED = len(Derived.__struct_fields__)
"""Fields that all records begin with."""
NOTHING_OBSERVED: dict[str, Any] = {"observed_us": 0, "elapsed_us": 0, "coverage": None, "why_null": None}


def emptied(record: Derived | None) -> dict[str, Any]:
    """The fields that change, beside the end: nothing made, no time, no values."""
    match record:
        case Production():
            return dict.fromkeys(("good", "scrap", "rework", "resets"), 0)
        case Oee():
            counts = dict.fromkeys(("good", "scrap", "rework", "ideal_us", "ideal_good_us"), 0)
            ratios = dict.fromkeys(("availability", "performance", "quality", "oee"))
            return {"element_us": dict.fromkeys(record.element_us, 0), **counts, **ratios, **NOTHING_OBSERVED}
        case Kpi():
            empty: dict[str, Any] = {"pieces": (), "stops": (), "quantities": {}, "loss_us": {}, "parts": ()}
            times, values = dict.fromkeys(record.element_us, 0), dict.fromkeys(record.values)
            return {"element_us": times, "values": values, **empty, **NOTHING_OBSERVED}
        case Changeover():
            return dict.fromkeys(("teardown_us", "setup_us", "run_in_us", "planned_us", "scrap"), 0)
        case Cycle():
            unknown = [name for name in record.__struct_fields__ if name.endswith("_us") and name != "cycles_us"]
            return dict.fromkeys(("cycles", "interrupted", "cycles_us", "slow"), 0) | dict.fromkeys(
                [*unknown, "suspicion"]
            )
        case Bottleneck():
            return {"bottleneck": None, "turning_point": None, "agrees": None, "cells": ()}
        case Prediction():
            return {"pieces": 0, "expected_scrap": 0.0}
        case Capability():
            kept = ("characteristic", "window", "window_name", "order", "product", "lsl", "usl", "confidence", "method")
            counts = dict.fromkeys(("points", "out_of_specification", "subgroups"), 0)
            unknown = [
                name for name in Capability.__struct_fields__[_SHARED:] if name not in kept and name not in counts
            ]
            return {**counts, **dict.fromkeys(unknown)}
        case Alert():
            return {"state": "cleared", "alarm_state": "normal", "annunciated_at": None}
        case Condition():
            return {"state": "cleared"}
        case Quality():
            return {"phase": "withdrawn", "rules": (), "beyond": None}
        case _:
            return {}
