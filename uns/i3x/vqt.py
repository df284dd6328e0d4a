"""A value with its quality and time, as i3X has them, made of what the namespace says. Pure.

i3X ties quality and value together: `Good` and `Uncertain` have a value, `Bad` and `GoodNoData` have none.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from schemas.raw import is_good, is_uncertain
from schemas.records import Current, Record, Sample
from schemas.text import moment, to_plain

GOOD: Final = "Good"
NO_DATA: Final = "GoodNoData"
BAD: Final = "Bad"
UNCERTAIN: Final = "Uncertain"


class Vqt(NamedTuple):
    """`at` in µs UTC."""

    value: Any
    quality: str
    at: int

    def as_json(self) -> dict[str, Any]:
        return {"value": self.value, "quality": self.quality, "timestamp": zulu(self.at)}

    def held(self) -> "Vqt":
        """The same where nobody says any more that it still is so."""
        return self._replace(quality=UNCERTAIN) if self.quality == GOOD else self


def nothing(at: int) -> Vqt:
    """Never said."""
    return Vqt(None, NO_DATA, at)


def zulu(at: int) -> str:
    """`2026-11-23T06:00:00.000000Z`; the nearest time that a calendar has."""
    try:
        return moment(at).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except OverflowError:
        return "9999-12-31T23:59:59.999999Z" if at > 0 else "0001-01-01T00:00:00.000000Z"


def of_sample(sample: Sample, silent: bool, schema: Mapping[str, Any]) -> Vqt:
    """A tag's value. `silent`: its machine is not heard. One that its type's schema does not allow is bad."""
    if sample.value is None:
        return Vqt(None, NO_DATA if is_good(sample.quality) and not silent else BAD, sample.at)
    usable = is_good(sample.quality) or is_uncertain(sample.quality)
    if silent or not usable or not fits(sample.value, schema):
        return Vqt(None, BAD, sample.at)
    return Vqt(sample.value, GOOD if is_good(sample.quality) else UNCERTAIN, sample.at)


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a scalar is of a type that the schema names, and JSON can hold it."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    named = schema.get("type", ())
    kinds = (named,) if isinstance(named, str) else named
    kind = "boolean" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "string"
    return kind in kinds


def of_current(current: Current) -> Vqt:
    """A machine's snapshot without its tags, which are objects of their own."""
    plain = _plain(current)
    del plain["tags"]
    return Vqt(plain, GOOD, current.at)


def of_record(record: Record, at: int) -> Vqt:
    return Vqt(_plain(record), GOOD, at)


def _plain(record: Record) -> dict[str, Any]:
    plain = to_plain(record, zulu)
    del plain["type"]
    finite: dict[str, Any] = _finite(plain)
    return finite


def _finite(value: Any) -> Any:
    """JSON has neither NaN nor infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
