"""Shows what the mirror makes of one record: the messages, or what the broker says to them."""

from pathlib import Path as FilePath
from typing import Any

from schemas.records import Current
from sinks.base import Delivery, Trial
from sinks.kit.cloudevents import Unfit
from sinks.kit.trying import unwritten
from sinks.mqtt.config import MirrorConfig, Sparkplug
from sinks.mqtt.message import Message
from sinks.mqtt.newest import Newest
from sinks.mqtt.plan import Planner, prepared
from sinks.mqtt.sink import Mirror
from sinks.mqtt.sparkplug.metrics import device_of, metrics
from topology.sparkplug.topics import of_edge


def tell(config: MirrorConfig, delivery: Delivery) -> list[dict[str, Any]]:
    """As if nothing were retained yet; of an edge node the metrics, as at a device's birth."""
    if config.sparkplug is not None:
        return _device(config.sparkplug, delivery)
    try:
        one = prepared(config, delivery)
    except Unfit as error:
        return [{"rejected": "unfit", "message": str(error)}]
    return [_shown(message) for message in Planner(config, Newest(), lambda *_: None, {}).messages(one)]


def _device(edge: Sparkplug, delivery: Delivery) -> list[dict[str, Any]]:
    record = delivery.record
    if not isinstance(record, Current):
        return []
    try:
        told = metrics(record)
    except Unfit as error:
        return [{"rejected": "unfit", "message": str(error)}]
    topic = of_edge(edge.group, "DBIRTH", edge.node, device_of(record.path))
    return [{"topic": topic, "metrics": {name: metric._asdict() for name, metric in told.items()}}]


def _shown(message: Message) -> dict[str, Any]:
    more = {} if message.expiry_s is None else {"expiry_s": message.expiry_s}
    payload = message.payload.decode()
    return {
        "topic": message.topic,
        "retain": message.retain,
        **more,
        "properties": dict(message.user),
        "payload": payload,
    }


async def send(name: str, config: MirrorConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Through the ledger. Raises `Retryable`."""
    if config.sparkplug is not None:
        return [{"outcome": "nothing", "message": "an edge node has one session: only a run speaks in it"}]
    left = await unwritten(Mirror(name, config, folder), delivery)
    told = [{**shown, "answer": "acknowledged" if not left else "not acknowledged"} for shown in tell(config, delivery)]
    told += left
    return told


trial = Trial(tell, send)
