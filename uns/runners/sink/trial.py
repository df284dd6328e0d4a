"""One record through a sink by hand: read from a file or from Kafka, shown, and sent where that is asked for."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from schemas.records import Derived, Record, Samples
from schemas.text import from_plain
from sinks.base import Delivery, Retryable
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import BadPath
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.client.connection import codec
from uns.client.subscribe import NothingMatches, Subscription
from uns.errors import UserError
from uns.model.components import sink_spec
from uns.runners.sink.health import FOLDER
from uns.runtime.settings import Settings

LAST_MS = 24 * 3_600_000
"""How far back the last record is looked for."""


def from_file(file: Path) -> Delivery:
    """The last record of a file of JSON lines, as `uns tail --json` prints them. Raises `UserError`."""
    try:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        plain = json.loads(lines[-1] if lines else "")
        return _delivery(from_plain(plain), plain.get("path"), int(plain.get("offset", 0)))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{file}: no record: {error}; `uns tail --json -n 1 …` prints one") from error


def last(settings: Settings, plant: Plant, name: str) -> Delivery:
    """The last record of a day that the sink would write. Raises `UserError`."""
    model, found = plant.sinks[name], None
    filters, begin = [Filter.parse(model.subscribe.filter)], int(time.time() * 1000) - LAST_MS
    try:
        with Subscription(settings, codec(settings), filters, list(model.subscribe.classes), begin, False) as messages:
            for message in messages:
                if isinstance(message.record, Samples | Derived):
                    delivery = _delivery(message.record, str(message.path), message.offset)
                    found = delivery if tell(plant, name, delivery) else found
    except NothingMatches as error:
        raise UserError(str(error)) from error
    if found is None:
        raise UserError(f"no record of the last 24 h is one that sink {name} writes; give one by --record FILE")
    return found


def tell(plant: Plant, name: str, delivery: Delivery) -> list[dict[str, Any]]:
    """What would go out. Raises `UserError` for a kind that cannot show it."""
    model = plant.sinks[name]
    spec = sink_spec(model.kind)
    if spec.trial is None:
        raise UserError(f"sink {name}: kind {model.kind} has nothing to show before it writes")
    return spec.trial.tell(spec.config.model_validate(dict(model.config)), delivery)


def send(settings: Settings, plant: Plant, name: str, delivery: Delivery) -> list[dict[str, Any]]:
    """What was answered. Raises `UserError`."""
    model = plant.sinks[name]
    spec = sink_spec(model.kind)
    assert spec.trial is not None
    config = spec.config.model_validate(dict(model.config))

    async def go() -> list[dict[str, Any]]:
        assert spec.trial is not None
        return await spec.trial.send(name, config, settings.state_dir / FOLDER / name, delivery)

    try:
        return asyncio.run(go())
    except Retryable as error:
        raise UserError(f"{error}: a run would wait and try again") from error


def _delivery(record: Record, path: str | None, offset: int) -> Delivery:
    """Raises `ValueError`."""
    if not isinstance(record, Samples | Derived):
        raise ValueError(f"a {type(record).__name__} is no derived record, and no samples")
    at = record.started_at if isinstance(record, Derived) else max((one.at for one in record.samples), default=0)
    try:
        place = Place.parse(path or (record.path if isinstance(record, Derived) else ""))
    except BadPath as error:
        raise ValueError(str(error)) from error
    message_class = MessageClass(record.message_class)
    return Delivery(topic(place, message_class), 0, offset, str(place), message_class, record, at)
