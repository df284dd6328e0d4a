"""The registry façade on real Kafka: Confluent's own clients, restart, takeover, outage."""

import json
from pathlib import Path

import httpx2
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.catalog import source
from schemas.records import GOOD, Sample, Samples
from tests.harness.records import EXAMPLES
from tests.harness.registries import register_all
from uns.registry.client import RegistryClient

OLD = json.dumps({"type": "record", "name": "Thing", "namespace": "test", "fields": [{"name": "a", "type": "int"}]})
NEW = json.dumps(
    {
        "type": "record",
        "name": "Thing",
        "namespace": "test",
        "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 0}],
    }
)
BROKEN = json.dumps(
    {
        "type": "record",
        "name": "Thing",
        "namespace": "test",
        "fields": [{"name": "a", "type": "int"}, {"name": "c", "type": "int"}],
    }
)


@pytest.fixture
def client(registry: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": registry})


def test_confluents_deserializer_reads_every_record(
    registry: str, client: SchemaRegistryClient, tmp_path: Path
) -> None:
    codec = RegistryClient(registry, tmp_path).codec()
    read = AvroDeserializer(client)
    for record in EXAMPLES:
        value = read(codec.encode(record), SerializationContext("any", MessageField.VALUE))
        assert isinstance(value, dict)
        assert set(value) == set(type(record).__struct_fields__)


def test_our_codec_reads_what_confluents_serializer_wrote(
    registry: str, client: SchemaRegistryClient, tmp_path: Path
) -> None:
    codec = RegistryClient(registry, tmp_path).codec()
    write = AvroSerializer(client, source("Samples"), conf={"subject.name.strategy": lambda context, name: name})
    value = {"source": "s", "sequence": 1, "samples": [{"tag": "State", "at": 5, "value": 6, "quality": GOOD}]}
    data = write(value, SerializationContext("any", MessageField.VALUE))
    assert codec.decode(data) == Samples("s", 1, (Sample("State", 5, 6),))


def test_a_subject_lives_and_dies_as_confluents_client_expects(
    client: SchemaRegistryClient, registry: str, enterprise: str
) -> None:
    subject = f"{enterprise}.Thing"
    first = client.register_schema(subject, Schema(OLD, "AVRO"))
    assert client.register_schema(subject, Schema(json.dumps(json.loads(OLD), indent=4), "AVRO")) == first
    second = client.register_schema(subject, Schema(NEW, "AVRO"))
    assert second > first
    assert client.get_versions(subject) == [1, 2]
    assert client.get_latest_version(subject).schema_id == second
    assert client.lookup_schema(subject, Schema(OLD, "AVRO")).version == 1
    assert not client.test_compatibility(subject, Schema(BROKEN, "AVRO"))
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(subject, Schema(BROKEN, "AVRO"))
    assert refused.value.http_status_code == 409
    with pytest.raises(SchemaRegistryError) as invalid:
        client.register_schema(subject, Schema('{"type": "nothing"}', "AVRO"))
    assert invalid.value.error_code == 42201
    assert client.delete_version(subject, 2) == 2
    assert client.get_versions(subject) == [1]
    again = httpx2.delete(f"{registry}/subjects/{subject}/versions/2")
    assert again.json()["error_code"] == 40406
    assert httpx2.get(f"{registry}/subjects/{subject}/versions/latest").json()["version"] == 1
    assert client.delete_subject(subject) == [1]
    assert subject not in client.get_subjects()
    assert subject in client.get_subjects(deleted=True)
    with pytest.raises(SchemaRegistryError) as twice:
        client.delete_subject(subject)
    assert twice.value.error_code == 40404
    with pytest.raises(SchemaRegistryError) as gone:
        client.get_versions(subject)
    assert gone.value.error_code == 40401
    assert client.get_schema(first).schema_str is not None, "what was written with a deleted schema stays readable"
    assert client.delete_subject(subject, permanent=True) == [1, 2]
    assert subject not in client.get_subjects(deleted=True)
    with pytest.raises(SchemaRegistryError) as forgotten:
        SchemaRegistryClient({"url": registry}).get_schema(first)
    assert forgotten.value.error_code == 40403


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/subjects/nobody/versions", None, 404, 40401),
        ("GET", "/schemas/ids/999999", None, 404, 40403),
        ("GET", "/subjects/uns.Samples/versions/none", None, 422, 42202),
        ("GET", "/subjects/uns.Samples/versions/99", None, 404, 40402),
        ("PUT", "/config", {"compatibility": "SOMETIMES"}, 422, 42203),
        ("POST", "/subjects/x/versions", {"schema": "{}", "schemaType": "PROTOBUF"}, 422, 42201),
        ("POST", "/subjects/x/versions", {}, 422, 42201),
        ("GET", "/config/nobody", None, 404, 40408),
        ("GET", "/subjects/uns.Samples/versions/²", None, 422, 42202),
        ("POST", "/subjects/nobody", {"schema": '"int"'}, 404, 40401),
        ("POST", "/subjects/uns.Samples", {"schema": '"int"'}, 404, 40403),
        ("DELETE", "/subjects/uns.Samples?permanent=true", None, 404, 40405),
        ("DELETE", "/subjects/uns.Samples/versions/1?permanent=true", None, 404, 40407),
        ("POST", "/subjects/x/versions", {"schema": '"int"', "references": [{"name": "y"}]}, 422, 42201),
        ("POST", "/subjects/x/versions", [], 400, 400),
        ("GET", "/nothing/here", None, 404, 404),
        ("PATCH", "/subjects", None, 405, 405),
    ],
)
def test_errors_carry_confluents_codes(
    registry: str, tmp_path: Path, method: str, path: str, body: object, status: int, code: int
) -> None:
    register_all(registry, tmp_path)
    answer = httpx2.request(method, registry + path, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"


def test_config_is_kept_per_subject(registry: str, enterprise: str) -> None:
    url = f"{registry}/config/{enterprise}"
    assert httpx2.put(url, json={"compatibility": "FULL"}).json() == {"compatibility": "FULL"}
    assert httpx2.get(url).json() == {"compatibilityLevel": "FULL"}
    httpx2.delete(url)
    assert httpx2.get(url, params={"defaultToGlobal": "true"}).json()["compatibilityLevel"] == "BACKWARD"


def test_every_way_to_an_id_agrees(registry: str, client: SchemaRegistryClient, tmp_path: Path) -> None:
    register_all(registry, tmp_path)
    latest = httpx2.get(f"{registry}/subjects/uns.Tick/versions/latest").json()
    assert latest == {"subject": "uns.Tick", "version": 1, "id": latest["id"], "schema": source("Tick")}
    assert httpx2.get(f"{registry}/subjects/uns.Tick/versions/1/schema").text == source("Tick")
    by_id = f"{registry}/schemas/ids/{latest['id']}"
    assert httpx2.get(by_id).json() == {"schema": source("Tick")}
    assert httpx2.get(f"{by_id}/schema").text == source("Tick")
    assert httpx2.get(f"{by_id}/subjects").json() == ["uns.Tick"]
    assert httpx2.get(f"{by_id}/versions").json() == [{"subject": "uns.Tick", "version": 1}]
    assert httpx2.get(f"{registry}/schemas/types").json() == ["AVRO"]
    assert httpx2.get(f"{registry}/mode").json() == {"mode": "READWRITE"}
    assert httpx2.get(registry).json() == {}


def test_verbose_compatibility_says_what_and_where(registry: str, enterprise: str) -> None:
    subject = f"{enterprise}.Thing"
    httpx2.post(f"{registry}/subjects/{subject}/versions", json={"schema": OLD}).raise_for_status()
    for place in ("versions", "versions/1", "versions/latest"):
        url = f"{registry}/compatibility/subjects/{subject}/{place}"
        answer = httpx2.post(url, json={"schema": BROKEN}, params={"verbose": "true"}).json()
        assert answer["is_compatible"] is False
        assert "/fields/1" in answer["messages"][0]
        assert httpx2.post(url, json={"schema": NEW}).json() == {"is_compatible": True}
