"""What of a record must not count any more once it is taken back."""

from typing import Any

from schemas.records import Alert, Derived, Kpi, Oee, Production


def emptied(record: Derived | None) -> dict[str, Any]:
    """The fields that change, beside the end: nothing made, no time, no values."""
    match record:
        case Production():
            return dict.fromkeys(("good", "scrap", "rework", "resets"), 0)
        case Oee():
            counts = dict.fromkeys(("good", "scrap", "rework", "ideal_us", "ideal_good_us"), 0)
            ratios = dict.fromkeys(("availability", "performance", "quality", "oee"))
            return {"element_us": dict.fromkeys(record.element_us, 0), **counts, **ratios}
        case Kpi():
            empty: dict[str, Any] = {"pieces": (), "stops": (), "quantities": {}, "loss_us": {}, "parts": ()}
            times, values = dict.fromkeys(record.element_us, 0), dict.fromkeys(record.values)
            return {"element_us": times, "values": values, **empty}
        case Alert():
            return {"state": "cleared"}
        case _:
            return {}
