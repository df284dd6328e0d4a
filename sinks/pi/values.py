"""Records as values of PI points: names, times, and what a point of a type can hold. Pure."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.records import Derived, Samples, Value, is_good, is_uncertain
from schemas.text import calendar
from sinks.base import Delivery
from sinks.kit.columns import cells, id_kind
from sinks.kit.rows import Kind
from sinks.pi.config import NAME_PATTERN, PiConfig

NAME_MAX = 1_023
_NAME = re.compile(NAME_PATTERN)
NO_DATA = {"Name": "No Data", "Value": 248, "IsSystem": True}
BAD_INPUT = {"Name": "Bad Input", "Value": 255, "IsSystem": True}
"""Of PI's system digital states."""
_INTEGERS = ("Int16", "Int32")
_NUMBERS = (*_INTEGERS, "Float16", "Float32", "Float64")


class Unfit(ValueError):
    """What no PI point can hold, or what the point that is there cannot; the message says why."""


@dataclass(frozen=True, slots=True)
class PiValue:
    """One value of one point. `gone`: there is to be none at this time."""

    point: str
    at: int
    value: Value
    quality: int = 0
    gone: bool = False


def values(config: PiConfig, delivery: Delivery) -> Iterator[PiValue | str]:
    """The values of a record, in order, or why a part of it is none; nothing of a class that is not asked for."""
    record = delivery.record
    if isinstance(record, Samples):
        for sample in record.samples:
            try:
                point = _point(config, delivery.key, sample.tag)
                yield PiValue(point, _checked(sample.at), sample.value, sample.quality)
            except Unfit as error:
                yield f"tag {sample.tag[:100]!r}: {error}"
    elif isinstance(record, Derived):
        wanted = config.fields.get(record.message_class, ())
        found = {cell.name: cell for cell in cells(record) if cell.name in wanted} if wanted else {}
        for name in wanted:
            cell = found.get(name)
            value = None if cell is None or record.withdrawn else cell.value
            number = cell is not None and cell.kind is Kind.NUMBER
            try:
                point = _point(config, record.path, id_kind(record), name)
                lost = value is None or (number and not math.isfinite(value))
                yield PiValue(point, _checked(record.started_at), value, gone=lost)
            except Unfit as error:
                yield f"{name}: {error}"


def _point(config: PiConfig, path: str, *names: str) -> str:
    if (stated := config.points.get("/".join((path, *names)))) is not None:
        return stated
    name = f"{config.point_prefix}{'.'.join((*path.split('/'), *names))}"
    if not name or len(name) > NAME_MAX or not _NAME.fullmatch(name):
        raise Unfit(f"{name[:100]!r} is no name of a PI point; state one in `points`")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise Unfit("half of a surrogate pair stands in its name") from None
    return name


def _checked(at: int) -> int:
    try:
        calendar(at)
    except OverflowError:
        raise Unfit(f"its time, {at} µs, is in no calendar") from None
    return at


def point_type(value: Value) -> str:
    """Of a point that is made for such a value."""
    if isinstance(value, str):
        return "String"
    return "Int16" if isinstance(value, bool) else "Float64"


def fitted(value: Value, its: str) -> Any:
    """What is sent for a value to a point of a type. Raises `Unfit` rather than change it."""
    if value is None:
        return NO_DATA
    if isinstance(value, float) and not math.isfinite(value):
        return BAD_INPUT
    if its == "String":
        return ("true" if value else "false") if isinstance(value, bool) else _text(value)
    if its == "Digital" and not isinstance(value, float):
        return int(value) if isinstance(value, bool) else value
    if its not in _NUMBERS or isinstance(value, str):
        raise Unfit(f"a {type(value).__name__} cannot be a value of a point of type {its}")
    if its in _INTEGERS and value != int(value):
        raise Unfit(f"{value!r} is not whole, and the point is of type {its}")
    if isinstance(value, int) and not isinstance(value, bool) and float(value) != value:
        raise Unfit(f"{value} cannot be held exactly by a point of type {its}")
    return int(value) if its in _INTEGERS else float(value)


def _text(value: Value) -> str:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise Unfit("half of a surrogate pair stands in it, which UTF-8 cannot hold") from None
    return str(value)


def item(value: PiValue, its: str) -> dict[str, Any]:
    """As PI Web API takes it. Raises `Unfit`."""
    moment = calendar(value.at).removesuffix("+00:00") + "Z"
    if value.gone:
        return {"Timestamp": moment, "Value": 0}
    good = is_good(value.quality) and value.value is not None
    return {
        "Timestamp": moment,
        "Value": fitted(value.value, its),
        "Good": good,
        "Questionable": is_uncertain(value.quality),
    }
