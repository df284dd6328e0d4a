"""A record as the body and headers of a CloudEvent over HTTP. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from schemas.envelope import Derived
from schemas.text import calendar, to_plain
from sinks.base import Delivery
from sinks.kit.cloudevents import CONTENT_TYPE, Unfit, attributes, checked, data, encoded
from sinks.kit.template import UnfitValue, fill
from sinks.webhook.config import Events, WebhookConfig

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_PLAIN = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")
"""Letters that a header has as they are (CloudEvents' HTTP binding, 3.1.3.2)."""


class Event(NamedTuple):
    """An event of a record."""

    delivery: Delivery
    record: Derived
    attributes: dict[str, str]
    data: dict[str, Any]


class Body(NamedTuple):
    identity: str
    """What names it: the same however often it is sent."""
    content: bytes
    headers: dict[str, str]


def event(delivery: Delivery, matches: bool) -> Event:
    """`matches`: whether it still is what `events` ask for. Raises `Unfit`."""
    record = checked(delivery)
    plain = data(delivery)
    return Event(delivery, record, attributes(plain) | ({} if matches else {"matches": "false"}), plain)


def body(mode: str, events: Sequence[Event]) -> Body:
    """In mode binary or structured of one event. Raises `Unfit`."""
    if mode == "batch":
        identity = "\n".join(each.attributes["id"] for each in events)
        return Body(identity, encoded([_structured(each) for each in events]), {"content-type": BATCH})
    [one] = events
    if mode == "structured":
        return Body(one.attributes["id"], encoded(_structured(one)), {"content-type": STRUCTURED})
    headers = {f"ce-{name}": quote(value, safe=_PLAIN) for name, value in one.attributes.items()}
    return Body(one.attributes["id"], encoded(one.data), {"content-type": CONTENT_TYPE, **headers})


def _structured(one: Event) -> dict[str, Any]:
    return {**one.attributes, "datacontenttype": CONTENT_TYPE, "data": one.data}


def wanted(config: WebhookConfig, record: Derived) -> bool | None:
    """Whether it is an event; None: of a class that none is of. Raises `Unfit`."""
    if not config.events:
        return True
    rules = [rule for rule in config.events if isinstance(record, rule.kind)]
    return any(fits(rule, record) for rule in rules) if rules else None


def fits(rule: Events, record: Derived) -> bool:
    """Raises `Unfit`."""
    if not isinstance(rule.when, str):
        pairs = ((getattr(record, name), value) for name, value in rule.when.items())
        return all(given in value if isinstance(value, list) else given == value for given, value in pairs)
    try:
        return bool(fill(rule.when, {**to_plain(record, calendar), "natural_id": record.natural_id}))
    except (UnfitValue, OverflowError) as error:
        raise Unfit(str(error)) from error
