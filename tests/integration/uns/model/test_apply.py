"""`uns apply` on real Kafka with a registry: what is planned is what is there afterwards, and then nothing is left to do."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.schema_registry_client import ConfigCompatibilityLevel

import uns.model.apply
from schemas.catalog import sources
from tests.harness import eventually, topic
from tests.harness.places import model
from tests.harness.registries import OwnRegistry
from topology.cluster import Kind, desired
from topology.model.plant import Plant
from topology.namespace.classes import DERIVED
from topology.namespace.path import Path as Place
from topology.namespace.topics import key, partition
from uns.cli.app import main
from uns.errors import UserError
from uns.model.apply import Applier, apply_plant
from uns.runtime.settings import Settings
from uns.runtime.settings import settings as process_settings


@pytest.fixture(scope="module")
def own_registry(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry without any schema."""
    name = f"_schemas-{secrets.token_hex(4)}"
    with OwnRegistry(kafka, name, tmp_path_factory.mktemp("registry") / "registry.log") as running:
        yield running.url


@pytest.fixture
def settings(kafka: str, own_registry: str) -> Settings:
    return Settings(bootstrap=kafka, registry=own_registry)


@pytest.fixture
def clean(own_registry: str) -> SchemaRegistryClient:
    """The registry's client; every subject is deleted."""
    client = SchemaRegistryClient({"url": own_registry})
    for subject in client.get_subjects():
        for permanent in (False, True):
            client.delete_subject(subject, permanent=permanent)
    for subject in sources():
        client.delete_config(subject)
    client.clear_caches()
    return client


def plant_of(enterprise: str, **parts: Any) -> Plant:
    document = model() | parts
    document["namespace"]["enterprise"] = enterprise
    return Plant.model_validate(document)


def acting(settings: Settings, plant: Plant) -> list[str]:
    return [str(step) for step in Applier(settings, plant).plan() if step.acts]


def config_of(kafka: str, name: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    admin = AdminClient({"bootstrap.servers": kafka})
    found = admin.describe_configs([resource])[resource].result(10)
    return {key: entry.value for key, entry in found.items()}


def alter(kafka: str, name: str, **values: str) -> None:
    entries = [
        ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for key, value in values.items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.incremental_alter_configs([resource])[resource].result(10)


def test_an_empty_cluster_comes_to_match_and_then_nothing_is_to_do(
    settings: Settings, kafka: str, clean: SchemaRegistryClient, enterprise: str
) -> None:
    plant = plant_of(enterprise)
    wanted = desired(plant)
    assert apply_plant(plant, settings) == len(wanted.topics) + len(wanted.subjects)

    there = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
    assert {name: len(there[name].partitions) for name in wanted.topics} == {
        name: one.partitions for name, one in wanted.topics.items()
    }
    for message_class in ("raw", "current"):
        name = f"uns.{enterprise}.dallas.packaging.{message_class}"
        assert dict(wanted.topics[name].config).items() <= config_of(kafka, name).items()
    for subject, text in wanted.subjects.items():
        assert json.loads(str(clean.get_latest_version(subject).schema.schema_str)) == json.loads(text)
        assert clean.get_compatibility(subject) == "BACKWARD_TRANSITIVE"

    assert Applier(settings, plant).plan() == []
    assert apply_plant(plant, settings) == 0


def test_what_a_stopped_apply_left_is_taken_up(
    settings: Settings, clean: SchemaRegistryClient, enterprise: str
) -> None:
    plant = plant_of(enterprise)
    applier = Applier(settings, plant)
    steps = applier.plan()
    assert applier.apply(steps[::3]) == len(steps[::3])
    assert len(acting(settings, plant)) == len(steps) - len(steps[::3])
    assert applier.apply(steps) == len(steps), "a step that is taken already does no harm"
    assert acting(settings, plant) == []


def test_a_setting_that_drifted_is_set_back(
    settings: Settings, kafka: str, clean: SchemaRegistryClient, enterprise: str
) -> None:
    plant = plant_of(enterprise)
    apply_plant(plant, settings)
    name = f"uns.{enterprise}.dallas.packaging.raw"
    alter(kafka, name, cleanup_policy="compact", compression_type="zstd")
    eventually(lambda: config_of(kafka, name)["compression.type"] == "zstd")
    assert acting(settings, plant) == [f"alter topic {name}: cleanup.policy compact → delete"]
    apply_plant(plant, settings)
    assert config_of(kafka, name)["cleanup.policy"] == "delete"
    assert config_of(kafka, name)["compression.type"] == "zstd", "what the model does not say is left alone"
    assert acting(settings, plant) == []


def test_more_partitions_are_refused_and_nothing_is_changed(
    settings: Settings, kafka: str, clean: SchemaRegistryClient, enterprise: str
) -> None:
    apply_plant(plant_of(enterprise), settings)
    more = model()
    more["namespace"]["enterprise"] = enterprise
    more["namespace"]["sites"]["dallas"]["areas"]["packaging"]["partitions"] = 6
    more["namespace"]["sites"]["munich"] = more["namespace"]["sites"]["leipzig"]
    with pytest.raises(UserError, match="has 2 partitions, the model says 6"):
        apply_plant(Plant.model_validate(more), settings)
    there = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
    assert len(there[f"uns.{enterprise}.dallas.packaging.raw"].partitions) == 2
    assert f"uns.{enterprise}.munich.packaging.raw" not in there


def test_a_topic_that_the_model_dropped_is_said_and_kept(
    settings: Settings, kafka: str, clean: SchemaRegistryClient, enterprise: str
) -> None:
    apply_plant(plant_of(enterprise), settings)
    less = model()
    less["namespace"]["enterprise"] = enterprise
    del less["namespace"]["sites"]["leipzig"]
    steps = Applier(settings, Plant.model_validate(less)).plan()
    assert {step.kind for step in steps} == {Kind.LEFT_OVER}
    assert f"uns.{enterprise}.leipzig.packaging.raw" in {step.name for step in steps}
    assert apply_plant(Plant.model_validate(less), settings) == 0


# -- schemas ---------------------------------------------------------------------------------------------------


def test_a_newer_version_from_another_release_is_left(
    settings: Settings, clean: SchemaRegistryClient, enterprise: str
) -> None:
    plant = plant_of(enterprise)
    apply_plant(plant, settings)
    newer = json.loads(sources()["uns.Tick"])
    newer["fields"].append({"name": "note", "type": ["null", "string"], "default": None})
    clean.register_schema("uns.Tick", Schema(json.dumps(newer), "AVRO"))
    assert acting(settings, plant) == []


def test_a_lax_level_is_raised(settings: Settings, clean: SchemaRegistryClient, enterprise: str) -> None:
    plant = plant_of(enterprise)
    apply_plant(plant, settings)
    clean.set_config("uns.Oee", ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
    assert acting(settings, plant) == ["set compatibility uns.Oee: BACKWARD_TRANSITIVE"]
    apply_plant(plant, settings)
    assert clean.get_compatibility("uns.Oee") == "BACKWARD_TRANSITIVE"


def test_a_schema_that_breaks_readers_is_refused(
    settings: Settings, clean: SchemaRegistryClient, enterprise: str
) -> None:
    foreign = {"type": "record", "name": "Tick", "namespace": "uns", "fields": [{"name": "at", "type": "string"}]}
    clean.register_schema("uns.Tick", Schema(json.dumps(foreign), "AVRO"))
    with pytest.raises(UserError, match=r"schema uns\.Tick is refused"):
        apply_plant(plant_of(enterprise), settings)


# -- access ----------------------------------------------------------------------------------------------------


@pytest.fixture
def admin(kafka: str) -> AdminClient:
    """Of a Kafka that keeps ACLs; the embedded one does."""
    client = AdminClient({"bootstrap.servers": kafka})
    try:
        acls_of(client, "User:nobody")
    except KafkaException as error:
        if error.args[0].code() != KafkaError.SECURITY_DISABLED:
            raise
        pytest.skip("this Kafka has no authorizer")
    return client


def acls_of(admin: AdminClient, principal: str) -> set[tuple[str, str, str]]:
    wanted = AclBindingFilter(
        ResourceType.TOPIC, None, ResourcePatternType.ANY, principal, None, AclOperation.ANY, AclPermissionType.ANY
    )
    return {
        (one.name, one.resource_pattern_type.name, one.operation.name) for one in admin.describe_acls(wanted).result(10)
    }


def test_access_becomes_acls_and_is_not_taken_away(
    settings: Settings, admin: AdminClient, clean: SchemaRegistryClient, enterprise: str
) -> None:
    reader, writer = f"User:reader-{enterprise}", f"User:writer-{enterprise}"
    everything = ["raw", *DERIVED]
    access = [
        {"principal": reader, "filter": f"{enterprise}/dallas/#", "classes": everything},
        {"principal": writer, "filter": f"{enterprise}/+/packaging/#", "classes": ["raw"], "operation": "write"},
    ]
    plant = plant_of(enterprise, access=access)
    apply_plant(plant, settings)
    assert acls_of(admin, reader) == {(f"uns.{enterprise}.dallas.", "PREFIXED", "READ")}
    assert acls_of(admin, writer) == {
        (f"uns.{enterprise}.{site}.packaging.raw", "LITERAL", "WRITE") for site in ("dallas", "leipzig")
    }
    assert Applier(settings, plant).plan() == []

    fewer = plant_of(enterprise, access=access[1:])
    (left,) = Applier(settings, fewer).plan()
    assert (left.kind, left.name) == (Kind.LEFT_OVER, f"uns.{enterprise}.dallas.")
    apply_plant(fewer, settings)
    assert acls_of(admin, reader), "taking a right away is left to a person"


def test_a_right_from_one_host_only_is_not_the_right_that_is_asked_for(
    settings: Settings, admin: AdminClient, clean: SchemaRegistryClient, enterprise: str
) -> None:
    principal, name = f"User:reader-{enterprise}", f"uns.{enterprise}.leipzig.packaging.oee"
    narrow = AclBinding(
        ResourceType.TOPIC, name, ResourcePatternType.LITERAL, principal, "10.0.0.1", AclOperation.READ, AclPermissionType.ALLOW
    )  # fmt: skip
    admin.create_acls([narrow])[narrow].result(10)
    eventually(lambda: acls_of(admin, principal))
    access = [{"principal": principal, "filter": f"{enterprise}/leipzig/#", "classes": ["oee"]}]
    assert f"create acl {name}: {principal} may read the topic" in acting(settings, plant_of(enterprise, access=access))


# -- nobody there ----------------------------------------------------------------------------------------------


def test_a_broker_that_is_away_is_said(own_registry: str, enterprise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uns.model.apply, "TIMEOUT_S", 1.0)
    away = Settings(bootstrap="127.0.0.1:1", registry=own_registry)
    with pytest.raises(UserError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        apply_plant(plant_of(enterprise), away)


def test_a_registry_that_is_away_is_said_before_anything_is_made(kafka: str, enterprise: str) -> None:
    with pytest.raises(UserError, match=r"registry at http://127\.0\.0\.1:1 does not answer"):
        apply_plant(plant_of(enterprise), Settings(bootstrap=kafka, registry="http://127.0.0.1:1"))
    there = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
    assert not [name for name in there if enterprise in name]


# -- the command -----------------------------------------------------------------------------------------------


def test_the_command_shows_asks_and_does(
    settings: Settings,
    clean: SchemaRegistryClient,
    enterprise: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = model()
    document["namespace"]["enterprise"] = enterprise
    (tmp_path / "plant.yaml").write_text(yaml.safe_dump(document))
    monkeypatch.setenv("UNS_BOOTSTRAP", str(settings.bootstrap))
    monkeypatch.setenv("UNS_REGISTRY", str(settings.registry))
    process_settings.cache_clear()

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["uns", "apply", str(tmp_path), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    try:
        name = f"create topic uns.{enterprise}.dallas.packaging.raw: 2 partitions"
        code, out = run("--dry-run")
        assert (code, f"  + {name}" in out) == (0, True)
        monkeypatch.setattr("typer.confirm", lambda question: False)
        assert run()[0] == 1
        code, out = run("--json")
        planned = json.loads(out)
        assert planned["taken"] == 0, "nothing is done unasked"
        code, out = run("--yes")
        assert (code, out.splitlines()[-1]) == (0, f"{len(planned['steps'])} done")
        assert run("--yes") == (0, "the cluster matches the model\n")
        assert json.loads(run("--json")[1]) == {"steps": [], "taken": 0}
    finally:
        process_settings.cache_clear()


# -- partitions ------------------------------------------------------------------------------------------------


def test_librdkafka_puts_a_line_where_we_do(kafka: str) -> None:
    name = topic(kafka, "partitioner", partitions=7)
    lines = [Place.parse(f"acme/dallas/packaging/{'x' * (number % 20)}line-{number}") for number in range(100)]
    found: dict[bytes, int] = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        found[bytes(message.key() or b"")] = int(message.partition() or 0)

    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    for line in lines:
        producer.produce(name, key=key(line), value=b"x", on_delivery=delivered)
    assert producer.flush(20) == 0
    assert found == {key(line): partition(line, 7) for line in lines}
    assert len(set(found.values())) == 7
