"""Files for `uns fold`: lines of raw records, and a plant of one machine."""

import json
from collections.abc import Iterable
from typing import Any

from schemas.records import Derived, Kpi, Oee, Raw
from schemas.text import micros, to_plain
from topology.model.plant import Plant
from uns.history.file.fold import Folded, fold
from uns.history.file.read import read

LINE = "acme/dallas/packaging/line-1"
CELL = f"{LINE}/filler"
DAY = "2026-11-23"


def plant(
    shifts: dict[str, Any] | None = None,
    time: dict[str, Any] | None = None,
    definition: str = "iso22400@1",
    **of_type: Any,
) -> Plant:
    """One machine that holds its state until it says another."""
    cells = {"filler": "filler"}
    model = {
        "tags": {
            "State": {"role": "state", "map": {"RUN": "execute", "STOP": "stopped", "SETUP": "held"}},
            "Good": {"role": "good_count"},
            "Scrap": {"role": "scrap_count"},
            "Reason": {"role": "reason"},
        },
        "ideal_cycle_s": 1.0,
        "silent_after_s": None,
        "reasons": {101: {"name": "jam", "category": "micro"}, 201: {"name": "drive", "category": "breakdown"}},
    }
    lines = {"line-1": {"cells": cells}}
    return Plant.model_validate(
        {
            "namespace": {"enterprise": "acme", "sites": {"dallas": {"areas": {"packaging": {"lines": lines}}}}},
            "types": {"filler": model | of_type},
            "shifts": shifts or {},
            "time": time or {},
            "kpi": {"definition": definition},
        }
    )


def samples(at: str, path: str = CELL, **values: Any) -> dict[str, Any]:
    """Values of one time; `at` without a day is of DAY, without an offset UTC."""
    return {
        "type": "Samples",
        "path": path,
        "source": "plc",
        "samples": [{"tag": tag, "at": instant(at), "value": value} for tag, value in values.items()],
    }


def fact(kind: str, path: str = LINE, **fields: Any) -> dict[str, Any]:
    """A fact; texts of times as in `samples`, breaks as pairs of them."""
    plain: dict[str, Any] = {"type": kind, "path": path}
    for name, value in fields.items():
        if name == "breaks":
            plain[name] = [{"started_at": instant(a), "ended_at": instant(b)} for a, b in value]
        else:
            plain[name] = instant(value) if name.endswith("at") and isinstance(value, str) else value
    return plain


def instant(at: str) -> str:
    text = at if "T" in at else f"{DAY}T{at}"
    return text if text[-1] == "Z" or text[-6] in "+-" else f"{text}Z"


def at(text: str) -> int:
    return micros(instant(text))


def lines(told: Iterable[tuple[str, Raw]]) -> list[str]:
    return [json.dumps({**to_plain(record), "path": path}) for path, record in told]


def text(*records: dict[str, Any]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def folded(model: Plant, *records: dict[str, Any], until: str | None = None, every: bool = False) -> Folded:
    return fold(model, read(text(*records)), None if until is None else at(until), every)


def of(folded: Folded, message_class: str, **fields: Any) -> list[Any]:
    """Records of a class with these values."""
    return [
        record
        for record in folded.records
        if record.message_class == message_class and all(getattr(record, name) == v for name, v in fields.items())
    ]


def only(folded: Folded, message_class: str, **fields: Any) -> Any:
    """The one such record."""
    (record,) = of(folded, message_class, **fields)
    return record


def whole(folded: Folded) -> Folded:
    """Itself, once the time elements of every window were seen to sum to its length, to the microsecond."""
    windows = [record for record in folded.records if isinstance(record, Oee | Kpi) and record.window != "product"]
    assert {record.message_class for record in windows} == {"oee", "kpi"}
    for record in windows:
        assert record.ended_at is not None, record.id
        assert sum(record.element_us.values()) == record.ended_at - record.started_at, record.id
    return folded


def minutes(record: Derived) -> dict[str, float]:
    """The time elements of a window that are not empty, in minutes."""
    elements: dict[str, int] = getattr(record, "element_us")  # noqa: B009 (Oee and Kpi alike)
    return {name: micros / 60e6 for name, micros in elements.items() if micros}
