"""Credentials and TLS of the settings reach both Kafka libraries, against a broker that checks them."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from schemas.codec import Codec
from schemas.records import TYPES
from tests.harness import eventually, topic
from tests.harness.places import model
from tests.harness.secure import SecureKafka
from topology.model.plant import Plant
from topology.model.wiring import Subscribe
from topology.namespace.classes import MessageClass
from uns.engine.transport import security
from uns.local.doctor import Verdict, examine
from uns.runners.sink.source import SinkSource
from uns.runtime.settings import Settings
from uns.testing import downtime

PASSWORD = "dough-nut 42"


@pytest.fixture(scope="module")
def broker(services_folder: Path) -> Iterator[SecureKafka]:
    with SecureKafka(services_folder / "secure-kafka") as started:
        started.add_user("historian", PASSWORD)
        started.add_user("intruder", PASSWORD)
        yield started


def settings_for(broker: SecureKafka, protocol: str, tmp_path: Path, user: str = "historian") -> Settings:
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    given: dict[str, object] = {}
    if protocol.startswith("SASL"):
        given |= {"sasl_username": user, "sasl_password_file": password}
    if protocol.endswith("SSL"):
        given["ssl_ca"] = broker.certificates.ca
    if protocol == "SSL":
        given |= {"ssl_certificate": broker.certificates.client, "ssl_key": broker.certificates.client_key}
    return Settings(bootstrap=broker.addresses[protocol], security_protocol=protocol, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", SecureKafka.protocols)
def test_both_libraries_get_in(broker: SecureKafka, protocol: str, tmp_path: Path) -> None:
    settings = settings_for(broker, protocol, tmp_path)
    assert len(AdminClient(settings.kafka()).list_topics(timeout=10).brokers) == 1

    async def brokers() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap, **security(settings))
        await admin.start()
        try:
            return len((await admin.describe_cluster())["brokers"])
        finally:
            await admin.close()

    assert asyncio.run(brokers()) == 1


def test_a_wrong_password_or_no_certificate_is_refused(broker: SecureKafka, tmp_path: Path) -> None:
    stranger = settings_for(broker, "SASL_PLAINTEXT", tmp_path, "nobody")
    bare = settings_for(broker, "SSL", tmp_path).model_copy(update={"ssl_certificate": None, "ssl_key": None})
    for refused in (stranger, bare):
        with pytest.raises(KafkaException):
            AdminClient(refused.kafka(log_level=0)).list_topics(timeout=1.5)


def test_a_prefix_grant_lets_one_user_in_and_keeps_another_out(broker: SecureKafka, tmp_path: Path) -> None:
    name = topic(broker.address, "uns.acme.dallas.packaging.raw")
    acl = AclBinding(
        ResourceType.TOPIC,
        "uns.acme.dallas.",
        ResourcePatternType.PREFIXED,
        "User:historian",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.create_acls([acl])[acl].result(20)
    outcome: dict[str, object] = {}
    for user in ("historian", "intruder"):
        settings = settings_for(broker, "SASL_PLAINTEXT", tmp_path, user)
        producer = Producer(settings.kafka(**{"message.timeout.ms": 10_000}))
        producer.produce(name, b"x", on_delivery=lambda error, message, user=user: outcome.update({user: error}))
        assert producer.flush(15) == 0
    assert outcome["historian"] is None
    assert getattr(outcome["intruder"], "name", lambda: None)() == "TOPIC_AUTHORIZATION_FAILED"


def test_a_sink_that_may_not_read_the_retries_reads_its_topics_all_the_same(
    broker: SecureKafka, tmp_path: Path
) -> None:
    document = model()
    document["namespace"]["enterprise"] = enterprise = f"acme-{secrets.token_hex(4)}"
    plant = Plant.model_validate(document)
    admin = AdminClient({"bootstrap.servers": broker.address})
    names = [f"uns.{enterprise}.dallas.packaging.downtime", f"uns-internal.{enterprise}.retry"]
    for made in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
        made.result(20)
    other = AclBinding(
        ResourceType.TOPIC,
        names[1],
        ResourcePatternType.LITERAL,
        "User:intruder",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    admin.create_acls([other])[other].result(20)
    producer = Producer({"bootstrap.servers": broker.address})
    codec = Codec({name: number for number, name in enumerate(TYPES, 1)})
    path = f"{enterprise}/dallas/packaging/line-1/filler"
    producer.produce(names[0], codec.encode(downtime(1, path=path)), path.encode())
    assert producer.flush(20) == 0
    subscribe = Subscribe(filter=f"{enterprise}/dallas/packaging/#", classes=(MessageClass.DOWNTIME,))
    settings = settings_for(broker, "SASL_PLAINTEXT", tmp_path)
    source = SinkSource(settings, plant, subscribe, enterprise, "mes", codec)
    try:
        with structlog.testing.capture_logs() as logs:
            source.open(None)
            found = eventually(lambda: source.poll(10, 0.2).waiting, 40, "the record comes")
            eventually(
                lambda: source.poll(10, 0.2) and any(log["event"] == "retries cannot be read" for log in logs), 40
            )
    finally:
        source.close()
    assert [each.delivery.key for each in found] == [path]


def test_doctor_says_who_may_what(broker: SecureKafka, tmp_path: Path) -> None:
    settings = settings_for(broker, "SASL_SSL", tmp_path)
    found = {finding.check: finding for finding in examine(settings, {}, write=True)}
    assert found["kafka"].verdict is Verdict.OK
    assert found["kafka rights"].detail == "historian may make topics"
    assert found["clock of kafka"].verdict is Verdict.OK
    lost = settings.model_copy(update={"security_protocol": "PLAINTEXT"})
    assert {f.check: f for f in examine(lost, {})}["kafka"].verdict is Verdict.FAIL
