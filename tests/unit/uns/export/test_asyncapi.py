"""The AsyncAPI document: valid by the specification's own schema, and true of the plant."""

import copy
import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import pytest
from jsonschema import Draft7Validator

from schemas.records import DERIVED_TYPES, TYPES
from tests.harness.line_logs import plant
from topology.cluster import desired
from uns.export.asyncapi import SHOWN, Server, document
from uns.export.page import page, type_in_words

SERVERS = [
    None,
    Server("kafka:9092"),
    Server("kafka:9094", "https://registry:8081", "SASL_SSL", "SCRAM-SHA-512"),
    Server("kafka:9094", "https://registry:8081", "SASL_SSL", "OAUTHBEARER"),
    Server("kafka:9094", None, "SSL"),
]


@cache
def validator() -> Draft7Validator:
    with gzip.open(Path(__file__).with_name("asyncapi-3.1.0.json.gz")) as file:
        return Draft7Validator(json.load(file))


def problems(made: dict[str, Any]) -> list[str]:
    return [error.message[:200] for error in validator().iter_errors(json.loads(json.dumps(made)))]


def short(made: dict[str, Any]) -> dict[str, Any]:
    """With one record in place of all: their schemas are what takes the validator seconds."""
    messages = dict(list(made["components"]["messages"].items())[:1])
    return {**made, "components": {**made["components"], "messages": messages}}


def test_the_document_is_valid() -> None:
    assert problems(document(plant(), SERVERS[2], replicas=3)) == []


@pytest.mark.parametrize("server", SERVERS)
def test_it_is_valid_with_every_kind_of_server(server: Server | None) -> None:
    assert problems(short(document(plant(), server))) == []


def test_the_schema_sees_what_is_wrong() -> None:
    right = short(document(plant(), SERVERS[2]))
    channel = next(iter(right["channels"]))
    for path, value in [
        (("channels", channel, "bindings", "kafka", "partitions"), -1),
        (("channels", channel, "bindings", "kafka", "partition"), 1),
        (("operations", f"receive_{channel}", "action"), "read"),
        (("servers", "plant", "host"), None),
    ]:
        wrong = copy.deepcopy(right)
        inner: Any = wrong
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        assert problems(wrong), path


def references(made: Any) -> Iterator[str]:
    if isinstance(made, dict):
        if "$ref" in made:
            yield made["$ref"]
        for part in made.values():
            yield from references(part)
    elif isinstance(made, list):
        for part in made:
            yield from references(part)


def test_every_reference_leads_somewhere() -> None:
    made = document(plant(), SERVERS[2])
    found = list(references(made))
    assert len(found) > 50
    for each in found:
        inner = made
        for key in each.removeprefix("#/").split("/"):
            inner = inner[key]


def test_channels_are_the_topics_that_apply_makes_with_their_settings() -> None:
    wanted = {name: topic for name, topic in desired(plant()).topics.items() if not name.startswith("uns-internal")}
    channels = {channel["address"]: channel for channel in document(plant(), None)["channels"].values()}
    assert channels.keys() == wanted.keys()
    for name, topic in wanted.items():
        binding = channels[name]["bindings"]["kafka"]
        assert binding["partitions"] == topic.partitions
        config = dict(topic.config)
        assert binding.get("topicConfiguration", {}).get("retention.ms") == (
            int(config["retention.ms"]) if "retention.ms" in config else None
        )


def test_every_record_is_there_with_a_schema_that_avro_reads() -> None:
    messages = document(plant(), None)["components"]["messages"]
    assert messages.keys() == TYPES.keys()
    for name, message in messages.items():
        assert fastavro.parse_schema(copy.deepcopy(message["payload"]["schema"]))["name"] == f"uns.{name}"
    carried = {name for channel in document(plant(), None)["channels"].values() for name in channel["messages"]}
    assert carried == TYPES.keys()
    assert {kind.message_class for kind in DERIVED_TYPES} == {*SHOWN} - {"raw"}


def test_ids_are_spoken_of_only_with_a_registry() -> None:
    for server in SERVERS:
        told = "schemaIdLocation" in json.dumps(document(plant(), server))
        assert told is (server is not None and server.registry is not None)


def test_the_page_names_every_topic_and_record_and_loads_nothing() -> None:
    made = document(plant(), SERVERS[2])
    text = page(made)
    for channel in made["channels"].values():
        assert channel["address"] in text
    for name in made["components"]["messages"]:
        assert f'id="record-{name}"' in text
    assert not re.search(r'(src|href)="(?!#)|@import|url\(', text)
    made["info"]["title"] = "<script>alert(1)</script>"
    assert "<script>alert(1)" not in page(made)


def test_types_in_words() -> None:
    assert type_in_words(["null", "long"]) == "long?"
    assert type_in_words({"type": "array", "items": {"type": "record", "name": "Sample"}}) == "list of Sample"
    assert type_in_words({"type": "long", "logicalType": "timestamp-micros"}) == "time, µs UTC"
    assert type_in_words(["null", "boolean", "string"]) == "boolean or string?"
