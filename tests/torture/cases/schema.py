"""Schemas that evolve under a running worker, and a registry that is away."""

import io
import json
import struct
from typing import Any

import fastavro
import msgspec
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from schemas.catalog import source, subject
from tests.harness.registries import OwnRegistry
from tests.torture.case import Stage, case
from tests.torture.load import Put
from tests.torture.room import Room


@case("schema-evolved")
def schema_evolved(stage: Stage) -> None:
    """A compatible version is registered, and records come with it, under a running worker: they are read like any."""
    with Room(stage.services, seed=stage.seed) as room:
        with room.load() as load:
            worker = room.worker()
            room.area.passed()
            schema = _newer("unit")
            id_ = _register(str(room.registry), schema)
            room.say(*(_written_with(room, schema, id_) for _ in range(100)))
            room.area.passed()
            assert worker.running
            load.stop()
        verdict = room.exact()
        assert verdict.effect > 100


@case("registry-away")
def registry_away(stage: Stage) -> None:
    """Known ids flow while the registry is down; a record with an unknown id waits for it, and is then read."""
    log = stage.folder("registry-away") / "registry.log"
    with (
        OwnRegistry(stage.services.kafka, f"_schemas-{log.parent.name}", log) as registry,
        Room(stage.services, partitions=1, seed=stage.seed, registry=registry.url, poison=0.0) as room,
    ):
        schema = _newer("unit")
        with room.load() as load:
            worker = room.worker()
            room.area.passed()
            id_ = _register(registry.url, schema)  # only now: a worker learns at its start what is registered by then
            registry.stop()
            room.area.passed()
            load.stop()
        room.area.passed()
        room.say(*(_written_with(room, schema, id_) for _ in range(10)))
        worker.said("registry is away")
        stood = room.area.committed()
        room.say(room.machines.next(room.clock()))
        assert room.area.committed() == stood, "the partition waits: order is kept"
        registry.start()
        room.area.passed()
        assert worker.running
        verdict = room.exact()
        assert verdict.reasons["unknown_schema"] == 0


def _newer(field: str) -> dict[str, Any]:
    """Our `Samples` with one more field, which has a default."""
    schema: dict[str, Any] = json.loads(source("Samples"))
    schema["fields"].append({"name": field, "type": ["null", "string"], "default": None})
    return schema


def _register(url: str, schema: dict[str, Any]) -> int:
    client = SchemaRegistryClient({"url": url})
    return int(client.register_schema(subject("Samples"), Schema(json.dumps(schema), "AVRO")))


def _written_with(room: Room, schema: dict[str, Any], id_: int) -> Put:
    path, record = room.machines.sampled(room.clock())
    body = io.BytesIO()
    body.write(struct.pack(">bI", 0, id_))
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), {**msgspec.to_builtins(record), "unit": "pieces"})
    return path.encode(), body.getvalue(), room.machines.place(path)
