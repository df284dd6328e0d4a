"""The embedded services' life: start, resume, refuse, stop, and leave nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.harness import MqttBroker, consume_all, eventually, topic
from uns.errors import ServiceError
from uns.local import mqtt
from uns.local.doctor import Verdict, examine
from uns.local.kafka import Kafka
from uns.local.mqtt import Mqtt
from uns.local.postgres import Postgres
from uns.local.services import Services
from uns.runtime.lock import FolderLock
from uns.runtime.ports import claim, free_port
from uns.runtime.settings import Settings


def test_acls_can_be_made_and_removed(kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    acl = AclBinding(
        ResourceType.TOPIC,
        "uns.acme.dallas.",
        ResourcePatternType.PREFIXED,
        "User:historian",
        "*",
        AclOperation.READ,
        AclPermissionType.ALLOW,
    )
    admin.create_acls([acl])[acl].result(20)
    same = AclBindingFilter(
        acl.restype,
        acl.name,
        acl.resource_pattern_type,
        acl.principal,
        acl.host,
        acl.operation,
        acl.permission_type,
    )
    assert list(admin.describe_acls(same).result(20)) == [acl]
    assert list(admin.delete_acls([same])[same].result(20)) == [acl]


def test_services_start_side_by_side_resume_and_stop(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, bootstrap=None, postgres=None, mqtt=None)
    want = ("bootstrap", "postgres", "mqtt")
    said: list[str] = []
    with Services(settings, want, report=said.append) as services:
        first = dict(services.environ)
        assert set(first) == {"UNS_BOOTSTRAP", "UNS_POSTGRES", "UNS_MQTT"}
        assert services.ready() == dict.fromkeys(want, True)
        assert sorted(line.split()[:2] for line in said if line.startswith("✓")) == [["✓", "kafka"], ["✓", "mqtt"], ["✓", "postgres"]]  # fmt: skip
        name = topic(first["UNS_BOOTSTRAP"], "kept")
        producer = Producer({"bootstrap.servers": first["UNS_BOOTSTRAP"]})
        producer.produce(name, b"kept")
        assert producer.flush(20) == 0
        with psycopg.connect(first["UNS_POSTGRES"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        with pytest.raises(ServiceError, match=rf"in use by another running instance \(pid {os.getpid()}\)"):
            Postgres(services.folder / "postgres").start()
        pids = [service.child.pid for service in services.started.values() if service.child]
        assert len(pids) == 3
    assert not any(psutil.pid_exists(pid) for pid in pids)
    for address in first.values():
        assert not _listens(int(address.rpartition(":")[2].partition("/")[0]))

    # Once more as a command does it: another process, ended by Ctrl-C.
    program = f"""
import json, time
from pathlib import Path
from uns.local.services import Services
from uns.runtime.settings import Settings
with Services(Settings(state_dir=Path({str(tmp_path)!r})), {want!r}) as services:
    pids = [service.child.pid for service in services.started.values()]
    print(json.dumps([services.environ, pids]), flush=True)
    time.sleep(600)
"""
    command = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    resumed, pids = json.loads(command.stdout.readline())
    assert [m.value() for m in consume_all(resumed["UNS_BOOTSTRAP"], [name])] == [b"kept"]
    with psycopg.connect(resumed["UNS_POSTGRES"]) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=30)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_given_addresses_are_used_and_ephemeral_data_goes(kafka: str, tmp_path: Path) -> None:
    services = Services(Settings(state_dir=tmp_path, bootstrap=kafka), ("bootstrap", "mqtt"), ephemeral=True)
    with services:
        assert services.environ["UNS_BOOTSTRAP"] == kafka
        assert set(services.started) == {"mqtt"}
        assert services.mqtt_persistent is not None
        assert services.folder.is_dir()
    assert not services.folder.exists()
    assert list(tmp_path.iterdir()) == []
    services.stop()


def test_one_that_fails_takes_the_others_down(tmp_path: Path) -> None:
    services = Services(
        Settings(state_dir=tmp_path, bootstrap=f"127.0.0.1:{free_port()}"), ("bootstrap", "mqtt"), ephemeral=True
    )
    with pytest.raises(ServiceError, match=r"\(UNS_BOOTSTRAP\) does not answer"):
        services.start()
    assert not any(service.running for service in services.started.values())


def test_an_owner_killed_without_warning_leaves_no_service(tmp_path: Path) -> None:
    program = f"""
import pathlib, time
from uns.local.mqtt import Mqtt
from uns.local.postgres import Postgres
folder = pathlib.Path({str(tmp_path)!r})
started = [Mqtt(folder / "mqtt"), Postgres(folder / "postgres")]
for service in started: service.start()
print(*(service.child.pid for service in started), flush=True)
time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pids = [int(pid) for pid in owner.stdout.readline().split()]
    assert len(pids) == 2
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    with Postgres(tmp_path / "postgres") as again:  # waits for the orphan, takes its folder over
        assert again.ready()
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def test_a_stale_lock_is_recovered(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("999999\n")
    FolderLock(tmp_path).release()


def test_a_port_in_use_names_its_holder() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"port {port} .*\(pid {os.getpid()}\).*take another port: \d+ is free"):
            Kafka(Path("/nonexistent"), port=port).launch()
    assert claim(port, "Kafka") == port


def test_a_service_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    server = Postgres(tmp_path)
    server.start()
    server.stop()
    (tmp_path / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServiceError, match=r"(?s)PostgreSQL ended with code 1.*postgres\.log.*no_such_setting"):
        server.start()
    assert server.lock is None


def test_amqtt_where_mosquitto_is_missing(tmp_path: Path) -> None:
    broker = Mqtt(tmp_path)
    broker.mosquitto, broker.persistent = None, False
    with broker:
        assert broker.ready()


def test_mqtt_probe_of_a_dead_port() -> None:
    assert not mqtt.probe(f"mqtt://127.0.0.1:{free_port()}")


def test_a_persistent_broker_keeps_messages(mqtt_broker: MqttBroker) -> None:
    if not mqtt_broker.persistent:
        pytest.skip("needs mosquitto, which is not installed: amqtt keeps nothing for offline sessions")
    import secrets
    import threading

    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    host, port = mqtt_broker.url.removeprefix("mqtt://").split(":")
    name, sent, got = f"kept-{secrets.token_hex(4)}", 3000, []
    connected, everything = threading.Event(), threading.Event()

    def session() -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        client.on_subscribe = lambda *_: connected.set()
        client.connect(host, int(port))
        client.loop_start()
        return client

    offline = session()
    offline.subscribe(f"{name}/data", qos=1)
    assert connected.wait(10)
    offline.disconnect()
    offline.loop_stop()

    publisher = paho.Client(CallbackAPIVersion.VERSION2)
    publisher.max_inflight_messages_set(1000)
    publisher.connect(host, int(port))
    publisher.loop_start()
    for number in range(sent):
        last = publisher.publish(f"{name}/data", str(number), qos=1)
    last.wait_for_publish(20)
    publisher.disconnect()
    publisher.loop_stop()

    back = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)

    def on_message(client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        got.append(int(message.payload))
        if len(got) == sent:
            everything.set()

    back.on_message = on_message
    back.connect(host, int(port))
    back.loop_start()
    assert everything.wait(30), f"{len(got)} of {sent}"
    back.disconnect()
    back.loop_stop()
    assert got == list(range(sent))


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_doctor_is_content_with_services_that_answer(postgres: str, mqtt_broker: MqttBroker, registry: str) -> None:
    found = {f.check: f for f in examine(Settings(postgres=postgres, mqtt=mqtt_broker.url, registry=registry), {})}
    for check in ("postgres", "clock of postgres", "mqtt", "registry"):
        assert found[check].verdict is Verdict.OK, found[check]


def test_storage_of_a_newer_kafka_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\n", encoding="ascii")
    for note in (None, "9.1.0"):
        if note is not None:
            (tmp_path / "made-by").write_text(note, encoding="ascii")
        with pytest.raises(ServiceError, match=f"was made by Kafka {note or '4.4.0'}.* begin anew: remove"):
            Kafka(tmp_path).start()


def test_several_processes_may_fetch_the_jars_at_once(kafka: str, tmp_path: Path) -> None:
    code = "from uns.local import jars, kafka; print(jars.fetch(kafka.COORDINATES[\"Kafka's logging\"], 'logging'))"
    environment = os.environ | {"JGO_CACHE_DIR": str(tmp_path)}  # the jars are there already, their folder is not
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    ends = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    assert [code for _, _, code in ends] == [0, 0, 0, 0], ends
    assert len({out for out, _, _ in ends}) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has mapped is read from /proc")
def test_kafka_maps_its_classes_from_the_archive(tmp_path: Path) -> None:
    with Kafka(tmp_path) as broker:
        assert broker.child is not None
        mapped = {line.split()[-1] for line in Path(f"/proc/{broker.child.pid}/maps").read_text().splitlines()}
        assert {Path(name).suffix for name in mapped if Path(name).name.startswith("classes-")} == {".jsa"}
