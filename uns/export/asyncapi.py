"""The namespace as an AsyncAPI 3.1 document: topics, records, servers, as the plant model says them. Pure."""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from schemas.catalog import source, subject
from schemas.records import DERIVED_TYPES, FACT_TYPES, TYPES, Derived, Samples, Tick
from topology.cluster import Topic, desired
from topology.model.plant import Plant
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import parse_topic

SPEC = "3.1.0"
BINDING = "0.5.0"
AVRO = "application/vnd.apache.avro;version=1.9.0"
SHOWN = (MessageClass.RAW, *DERIVED)
"""Internal classes are nobody's interface."""
WORDS: Mapping[str, str] = {kind.message_class: (kind.__doc__ or "").partition("\n")[0] for kind in DERIVED_TYPES} | {
    "raw": "What is told of the plant: samples of tags, facts (orders, shifts, reasons, …), ticks of the clock."
}
_SECURITY: Mapping[str, dict[str, str]] = {
    "PLAIN": {"type": "plain"},
    "SCRAM-SHA-256": {"type": "scramSha256"},
    "SCRAM-SHA-512": {"type": "scramSha512"},
    "GSSAPI": {"type": "gssapi"},
    "OAUTHBEARER": {"type": "httpApiKey", "name": "Authorization", "in": "header"},
}


class Server(NamedTuple):
    """Where it is. `registry` None: the document says nothing of schema ids."""

    host: str
    registry: str | None = None
    security_protocol: str = "PLAINTEXT"
    mechanism: str | None = None


def document(plant: Plant, server: Server | None, replicas: int | None = None) -> dict[str, Any]:
    """The whole document. A channel is a topic; messages are shared by those of one class."""
    topics = {topic: parse_topic(topic.name) for topic in _shown(plant)}
    made: dict[str, Any] = {
        "asyncapi": SPEC,
        "id": f"urn:uns:{plant.enterprise}",
        "info": {
            "title": f"Unified namespace of {plant.enterprise}",
            "version": version("uns-backbone"),
            "description": "Machine signals, facts and shared KPIs on Kafka. The key of a record is its ISA-95 path; all "
            "records of a line are in one partition, in one order. Read with isolation.level=read_committed.",
        },
        "defaultContentType": "application/avro",
        "channels": {_id(topic): _channel(topic, *place, replicas) for topic, place in topics.items()},
        "operations": dict(_operations(topics)),
        "components": {
            "messages": {name: _message(name, server is not None and server.registry is not None) for name in TYPES}
        },
    }
    if server is not None:
        made["servers"] = {"plant": _server(server)}
        if scheme := _scheme(server):
            made["components"]["securitySchemes"] = {"sasl": scheme}
    return made


def _shown(plant: Plant) -> list[Topic]:
    return [topic for topic in desired(plant).topics.values() if parse_topic(topic.name)[1] in SHOWN]


def _id(topic: Topic) -> str:
    """A key that may stand in a reference."""
    return topic.name.replace(".", "_")


def records_of(message_class: MessageClass) -> tuple[str, ...]:
    """Names of the record types that a class carries."""
    if message_class is MessageClass.RAW:
        return tuple(kind.__name__ for kind in (Samples, *FACT_TYPES, Tick))
    return tuple(kind.__name__ for kind in DERIVED_TYPES if kind.message_class == message_class)


def _channel(topic: Topic, place: Path, message_class: MessageClass, replicas: int | None) -> dict[str, Any]:
    binding: dict[str, Any] = {"topic": topic.name, "partitions": topic.partitions, "bindingVersion": BINDING}
    if replicas is not None:
        binding["replicas"] = replicas
    if configuration := _configuration(topic):
        binding["topicConfiguration"] = configuration
    return {
        "address": topic.name,
        "title": f"{message_class} of {place}",
        "description": WORDS[message_class],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in records_of(message_class)},
        "bindings": {"kafka": binding},
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    """Topic settings that the binding knows, as it wants them: words as a list, the others as numbers."""
    config = dict(topic.config)
    made: dict[str, Any] = {}
    if "cleanup.policy" in config:
        made["cleanup.policy"] = config["cleanup.policy"].split(",")
    for name in ("retention.ms", "max.message.bytes"):
        if name in config:
            made[name] = int(config[name])
    return made


def _operations(topics: Mapping[Topic, tuple[Path, MessageClass]]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Everybody may read; what is told of the plant may be said, too, but ticks, which only workers say."""
    for topic, (place, message_class) in topics.items():
        channel = _id(topic)
        binding = {"groupId": {"type": "string"}, "clientId": {"type": "string"}, "bindingVersion": BINDING}
        read = _operation("receive", channel, f"Read {message_class} of {place}", records_of(message_class))
        yield f"receive_{channel}", {**read, "bindings": {"kafka": binding}}
        if message_class is MessageClass.RAW:
            said = tuple(name for name in records_of(message_class) if name != Tick.__name__)
            yield f"send_{channel}", _operation("send", channel, f"Say what is so at {place}", said)


def _operation(action: str, channel: str, summary: str, records: Iterable[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in records],
    }


def _message(name: str, with_ids: bool) -> dict[str, Any]:
    kind = TYPES[name]
    binding: dict[str, Any] = {
        "key": {"type": "string", "description": "the path: enterprise/site/area/line/cell, one to five parts"},
        "bindingVersion": BINDING,
    }
    if with_ids:
        # Confluent's framing: a zero byte, then the id in four.
        binding |= {
            "schemaIdLocation": "payload",
            "schemaIdPayloadEncoding": "confluent",
            "schemaLookupStrategy": "RecordNameStrategy",
        }
    return {
        "name": name,
        "title": subject(name),
        "summary": (kind.__doc__ or "").partition("\n")[0],
        "contentType": "application/avro",
        "headers": _headers(name, issubclass(kind, Derived)),
        "payload": {"schemaFormat": AVRO, "schema": json.loads(source(name))},
        "bindings": {"kafka": binding},
    }


def _headers(name: str, derived: bool) -> dict[str, Any]:
    """CloudEvents 1.0 in Kafka's binary mode, as `uns.kafka.message` writes them."""
    words = "with its revision; the same however often it comes" if derived else "of what was told"
    return {
        "type": "object",
        "properties": {
            "ce_specversion": {"type": "string", "const": "1.0"},
            "ce_id": {"type": "string", "description": f"the record's id, {words}"},
            "ce_source": {"type": "string", "format": "uri-reference", "description": "who says it"},
            "ce_type": {"type": "string", "const": subject(name)},
            "content-type": {"type": "string", "const": "application/avro"},
        },
    }


def _server(server: Server) -> dict[str, Any]:
    secure = server.security_protocol.endswith("SSL")
    told: dict[str, Any] = {"host": server.host, "protocol": "kafka-secure" if secure else "kafka"}
    if _scheme(server):
        told["security"] = [{"$ref": "#/components/securitySchemes/sasl"}]
    if server.registry is not None:
        told["bindings"] = {
            "kafka": {
                "schemaRegistryUrl": server.registry,
                "schemaRegistryVendor": "confluent",
                "bindingVersion": BINDING,
            }
        }
    return told


def _scheme(server: Server) -> dict[str, str] | None:
    if server.security_protocol.startswith("SASL"):
        return dict(_SECURITY.get(server.mechanism or "", {"type": "userPassword"}))
    return {"type": "X509"} if server.security_protocol == "SSL" else None
