"""What a target says of our objects when it is asked for each, for `uns sink verify`: by the lookup, else by the ledger."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path as FilePath
from types import SimpleNamespace
from typing import Any

import msgspec

from schemas.records import Derived
from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.kit.answer import as_text, is_text
from sinks.kit.digest import digest
from sinks.kit.template import MAPS
from sinks.rest.config import RequestMapping, RestConfig
from sinks.rest.ledger import ObjectLedger
from sinks.rest.lookup import search
from sinks.rest.objects import fits_when, request, template_values
from sinks.rest.target import Failed, Refused, Target

_REMOTE_ID = "REMOTE-ID"
"""Stands in for an id in a body that is filled to be compared; a field with it is not compared."""


def wanted(config: RestConfig, delivery: Delivery) -> Iterable[Wanted]:
    """An object for every record that a request wants, as its newest revision has it."""
    record = delivery.record
    if not isinstance(record, Derived) or not is_text(record.id):
        return
    for mapping in config.requests:
        if not isinstance(record, mapping.kind):
            continue
        try:
            values = template_values(record, config)
            fits = fits_when(mapping, record, values)
            sent = _sent(mapping, values) if fits else {}
        except Refused:
            continue
        hint = msgspec.json.encode({"request": mapping.known_as, "values": _plain(values), "sent": sent})
        key = f"{mapping.known_as} {record.natural_id}"
        yield Wanted(key, record.started_at, record.revision, digest(sent), not fits, hint)


def _sent(mapping: RequestMapping, values: dict[str, Any]) -> dict[str, Any]:
    """Members of the newest body that are single values: those which an object may carry under the same name."""
    call = mapping.update if values["revision"] and mapping.update is not None else mapping.create
    _, body = request(call, values | {"remote_id": _REMOTE_ID})
    single = (str, int, float, bool, type(None))
    return {name: value for name, value in body.items() if isinstance(value, single)} if isinstance(body, dict) else {}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != MAPS}


async def found(
    name: str,
    config: RestConfig,
    folder: FilePath,
    begin: int,
    end: int,
    expected: Callable[[], Iterator[Wanted]],
) -> AsyncIterator[Found]:
    """Where a request has no lookup, what the ledger says: that is our word for it, and not the target's."""
    mappings = {mapping.known_as: mapping for mapping in config.requests}
    target = Target(name, config)
    try:
        ledger = ObjectLedger(folder, list(mappings))
    except (OSError, sqlite3.Error) as error:
        raise Retryable(f"sink {name}: the ledger in {folder} cannot be opened: {error}") from error
    try:
        for each in expected():
            hint = msgspec.json.decode(each.hint)
            mapping = mappings[hint["request"]]
            if mapping.lookup is None:
                known = ledger.find(mapping.known_as, hint["values"]["natural_id"])
                if known is not None and known.there:
                    yield Found(each.key, each.digest if known.revision >= each.revision else 0, "by the ledger alone")
                continue
            for item in await _objects(name, target, mapping, config, hint["values"]):
                words = _differences(item, hint["sent"])
                yield Found(each.key, 0 if words else each.digest, words)
    finally:
        await target.close()
        ledger.close()


async def _objects(
    name: str, target: Target, mapping: RequestMapping, config: RestConfig, values: dict[str, Any]
) -> Iterable[Any]:
    assert mapping.lookup is not None
    assert mapping.key_field is not None
    try:
        asked = values | {MAPS: SimpleNamespace(**config.maps)}
        return (await search(target, mapping.lookup, mapping.key_field, asked)).ours.values()
    except (Refused, Failed) as error:
        raise Retryable(f"sink {name}: the lookup of {values['natural_id']} cannot be used: {error}") from error


def _differences(item: Any, sent: dict[str, Any]) -> str:
    """Of what was sent, the members that the object has under the same name, and otherwise."""
    if not isinstance(item, dict):
        return ""
    other = [
        f"{name} is {item[name]!r}, sent {value!r}"
        for name, value in sent.items()
        if name in item and value != _REMOTE_ID and as_text(item[name]) != as_text(value) and item[name] != value
    ]
    return "; ".join(other[:5])


verification = Verification(wanted, found)
