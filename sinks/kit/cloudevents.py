"""A record as a CloudEvent (CloudEvents 1.0): the attributes that envelop it, whatever carries them. Pure.

`id` is the record's, revision and all: with `source` it is the same however often the record comes, so that who gets it
twice knows. `subject` is the id without the revision: what it says is replaced by the same subject's next revision.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from schemas.envelope import Derived
from schemas.text import calendar, to_plain
from sinks.base import Delivery
from topology.namespace.path import BadPath, Path

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
TYPE_PREFIX = "uns."


class Unfit(ValueError):
    """A record that no event can carry; the words say why."""


def attributes(event: Mapping[str, Any]) -> dict[str, str]:
    """Context attributes as text, the required ones first, of what `data` made."""
    return {
        "specversion": SPEC_VERSION,
        "id": event["id"],
        "source": f"/{event['path']}",
        "type": TYPE_PREFIX + event["class"],
        "time": event["started_at"],
        "subject": event["id"].rpartition(":")[0],
        "revision": str(event["revision"]),
        "status": event["status"],
    }


def data(delivery: Delivery) -> dict[str, Any]:
    """The record as `uns tail --json` has it. Raises `Unfit`."""
    try:
        plain = to_plain(delivery.record, calendar)
    except OverflowError as error:
        raise Unfit(f"a time that no calendar has: {error}") from error
    place = {"topic": delivery.topic, "partition": delivery.partition, "offset": delivery.offset}
    return {"class": str(delivery.message_class), **place, **plain}


def encoded(value: Any) -> bytes:
    """JSON in UTF-8; NaN and infinities, which JSON does not have, are null. Raises `Unfit`."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, ValueError, OverflowError, RecursionError) as error:
        raise Unfit(f"the record cannot be written as JSON: {type(error).__name__}") from error


def checked(delivery: Delivery) -> Derived:
    """The record of a delivery, at a path that is one. Raises `Unfit`."""
    record = delivery.record
    if not isinstance(record, Derived):
        raise Unfit(f"a {type(record).__name__} is no derived record")
    if (problem := _problem(record.path)) is not None:
        raise Unfit(problem)
    return record


@lru_cache(8192)
def _problem(path: str) -> str | None:
    try:
        Path.parse(path)
    except BadPath as error:
        return str(error)
    return None
