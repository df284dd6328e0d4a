"""A machine's snapshot as the metrics of a Sparkplug device. Pure.

Names: the fields of `Current` as they are called there, and `tags/TAG` for each tag. A metric's datatype follows from its field,
a tag's from its value; a tag that says nothing has that of a text until it does.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.records import Current, is_good, is_uncertain
from sinks.kit.cloudevents import Unfit
from topology.sparkplug.schema import Payload

INT64, DOUBLE, BOOLEAN, STRING, DATETIME, INT32 = 4, 10, 11, 12, 13, 3
_FIELD_OF = {
    INT64: "long_value",
    DOUBLE: "double_value",
    BOOLEAN: "boolean_value",
    STRING: "string_value",
    DATETIME: "long_value",
}
FIELDS: dict[str, int] = {
    "state": STRING,
    "mode": STRING,
    "state_since": DATETIME,
    "last_seen": DATETIME,
    "order": STRING,
    "product": STRING,
    "shift": STRING,
    "good": INT64,
    "scrap": INT64,
    "availability": DOUBLE,
    "performance": DOUBLE,
    "quality": DOUBLE,
    "oee": DOUBLE,
    "coverage": DOUBLE,
    "why_null": STRING,
    "open_alerts": INT64,
}
"""Field of `Current` → datatype."""
TAGS = "tags/"
QUALITY = "Quality"
GOOD, BAD, STALE = 192, 0, 500


class Metric(NamedTuple):
    datatype: int
    value: Any
    """None: it has none now."""
    at_ms: int
    quality: int = GOOD


Metrics = Mapping[str, Metric]


def device_of(path: str) -> str:
    """A device's name has no slash."""
    return path.replace("/", ":")


def metrics(record: Current) -> dict[str, Metric]:
    """By name. Raises `Unfit` for what no payload can hold."""
    found = {name: Metric(kind, _plain(kind, getattr(record, name)), _ms(record.at)) for name, kind in FIELDS.items()}
    for tag in record.tags:
        kind = _datatype(tag.value)
        quality = GOOD if is_good(tag.quality) else STALE if is_uncertain(tag.quality) else BAD
        found[f"{TAGS}{tag.tag}"] = Metric(kind, _plain(kind, tag.value), _ms(tag.at), quality)
    try:
        for name, metric in found.items():
            name.encode()
            str(metric.value).encode()
    except UnicodeEncodeError:
        raise Unfit("half of a surrogate pair stands in a text, which UTF-8 cannot hold") from None
    return found


def _ms(at: int) -> int:
    if not 0 <= at < 2**63:
        raise Unfit(f"its time, {str(at)[:40]} µs, is none that Sparkplug can say")
    return at // 1000


def _datatype(value: Any) -> int:
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INT64
    return DOUBLE if isinstance(value, float) else STRING


def _plain(kind: int, value: Any) -> Any:
    if value is None or (kind == DOUBLE and not math.isfinite(value)):
        return None
    if kind == DATETIME:
        return _ms(value)
    if kind == INT64 and not -(2**63) <= value < 2**63:
        raise Unfit(f"{str(value)[:60]} does not fit 64 bits")
    return value


def changed(before: Metrics, after: Metrics) -> dict[str, Metric] | None:
    """What says something new; None: a metric is new, gone or of another type, so that the device has to be born again."""
    if before.keys() != after.keys():
        return None
    found = {}
    for name, metric in after.items():
        known = before[name]
        if known.datatype != metric.datatype:
            return None
        # The time of the snapshot alone is nothing new; that of a tag is a value that came again.
        again = name.startswith(TAGS) and known.at_ms != metric.at_ms
        if again or (known.value, known.quality) != (metric.value, metric.quality):
            found[name] = metric
    return found


def add(payload: Any, name: str, metric: Metric) -> None:
    """To a payload, with name and datatype: it explains itself."""
    made = payload.metrics.add(name=name, timestamp=metric.at_ms, datatype=metric.datatype)
    if metric.value is None:
        made.is_null = True
    else:
        value = metric.value % 2**64 if metric.datatype in (INT64, DATETIME) else metric.value
        setattr(made, _FIELD_OF[metric.datatype], value)
    if metric.quality != GOOD:
        made.properties.keys.append(QUALITY)
        made.properties.values.add(type=INT32, int_value=metric.quality)


def payload_of(metrics: Metrics, now_ms: int, seq: int | None) -> Any:
    """Its time is never before that of a metric in it. `seq` None: a death of a node has none."""
    payload = Payload(timestamp=max([now_ms, *(metric.at_ms for metric in metrics.values())]))
    if seq is not None:
        payload.seq = seq
    for name, metric in metrics.items():
        add(payload, name, metric)
    return payload
