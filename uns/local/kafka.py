"""Apache Kafka, one KRaft node: jars by jgo, on the machine's Java or the one from pip."""

import contextlib
import fcntl
import secrets
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from uns.errors import ServiceError
from uns.local import jars, java
from uns.local.service import Service
from uns.runtime.child import Child
from uns.runtime.ports import HOST, claim, free_port

VERSION = "4.2.2"  # 4.3 and 4.4 lose transaction markers as a lone broker ends: docs/adr/0005
# Kafka, and a backend for its logs, without which it warns and logs nothing. Resolved apart: together, jgo mixes versions.
COORDINATES = {
    f"Kafka {VERSION} (45 MB)": f"org.apache.kafka:kafka_2.13:{VERSION}",
    "Kafka's logging": "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5",
}
JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")

ARCHIVE_WAIT_S = 120.0
"""Longest wait for a JVM to write its classes down as it ends: four seconds on an idle machine."""

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": "33554432",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "super.users": "User:ANONYMOUS;User:admin",
}
"""What does not depend on the instance: a node of its own, quick groups, ACLs that can be applied, no topics by typo."""

_LOGGING = """\
Configuration:
  status: error
  Appenders:
    Console:
      name: out
      PatternLayout: {pattern: "%d{ISO8601} %p %c{1}: %m%n"}
  Loggers:
    Root: {level: warn, AppenderRef: {ref: out}}
    Logger:
      - {name: kafka.server.KafkaRaftServer, level: info}
      - {name: org.apache.kafka.common.utils.AppInfoParser, level: error}
"""


class Kafka(Service):
    """One broker; `address` is its bootstrap server. Its data, log and configuration are in `folder`."""

    name = "Kafka"

    def prepare(self) -> None:
        self._java = java.find()
        kafka, backend = (jars.fetch(coordinates, label, self.progress) for label, coordinates in COORDINATES.items())
        self._classpath = ":".join(
            (f"{kafka}/modules/*", f"{kafka}/jars/*", *map(str, backend.rglob("log4j-slf4j-impl-*.jar")))
        )
        self._sharing = self._shared_classes(kafka)

    def _shared_classes(self, jars_folder: Path) -> tuple[str, ...]:
        """The JVM's option for its classes in an archive, which halves the start. Made once for these jars and this Java.

        Where it cannot be made, or does not fit, the broker starts without.
        """
        java_file = Path(self._java.path).resolve()
        key = sha256(f"{java_file} {java_file.stat().st_mtime_ns} {JVM}".encode()).hexdigest()[:12]
        archive = jars_folder / f"classes-{key}.jsa"
        try:
            with (jars_folder / "classes.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel frees it with its owner
                if not archive.exists():
                    self.progress("… Kafka: preparing its quick start, this once")
                    _archive_classes(archive, self._java, self._classpath)
            return (f"-XX:SharedArchiveFile={archive}",) if archive.stat().st_size else ()
        except OSError:  # the folder is somebody else's
            return ()

    def launch(self) -> Child:
        port = claim(self.wanted_port, self.name)
        data, properties, logs = self.folder / "data", self.folder / "server.properties", self.folder / "log4j2.yaml"
        content = "".join(f"{name}={value}\n" for name, value in self.properties(port).items())
        properties.write_text(content, encoding="utf-8")
        logs.write_text(_LOGGING, encoding="utf-8")
        self._format(data, properties)
        options = [*JVM, *self._sharing, f"-Dlog4j2.configurationFile={logs}"]
        if self._java.major >= 24:
            options += ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
        self.address = f"{HOST}:{port}"
        assert self.lock is not None
        return Child(
            [self._java.path, *options, "-cp", self._classpath, "kafka.Kafka", str(properties)],
            self.folder / "kafka.log",
            keep_open=[self.lock.fileno()],
        )

    def _format(self, data: Path, properties: Path) -> None:
        """Makes the storage, once. Raises `ServiceError` where another version made it: an older one cannot read it."""
        note = self.folder / "made-by"
        if not (data / "meta.properties").exists():
            _format(self._java.path, self._classpath, properties)
            note.write_text(f"{VERSION}\n", encoding="ascii")
        maker = note.read_text(encoding="ascii").strip() if note.exists() else "4.4.0"  # the last not to note it
        if _release(maker) > _release(VERSION):
            raise ServiceError(
                f"{data} was made by Kafka {maker}, and {VERSION} cannot read it. Keep what it holds by running that "
                f"version yourself (UNS_BOOTSTRAP), or begin anew: remove {self.folder}, or set UNS_STATE_DIR to "
                "another folder"
            )

    def properties(self, port: int) -> dict[str, str]:
        """The whole of server.properties."""
        controller = free_port()
        return PROPERTIES | {
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": f"CLIENT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
        }

    def wait(self, child: Child) -> None:
        """Returns when a probe was written in a transaction and read by a group. Raises `ServiceError`."""
        try:
            probe(self.address, time.monotonic() + self.start_timeout_s, lambda: child.alive)
        except (KafkaException, ServiceError) as error:
            raise self.failure(child, str(error)) from None

    def ready(self) -> bool:
        if not self.running:
            return False
        try:
            AdminClient(_client(self.address)).list_topics(timeout=2)
        except KafkaException:
            return False
        return True


class _Rehearsal(Kafka):
    """A broker that starts and stops once, and writes down the classes that it has loaded."""

    def __init__(self, folder: Path, archive: Path, java_found: java.Java, classpath: str) -> None:
        super().__init__(folder)
        self._java, self._classpath = java_found, classpath
        self._sharing = (f"-XX:ArchiveClassesAtExit={archive}",)

    def prepare(self) -> None:
        """Has all it needs."""


def _archive_classes(archive: Path, java_found: java.Java, classpath: str) -> None:
    """Makes the archive; an empty file where this Java cannot, so that no later start tries again. Raises `OSError`."""
    with tempfile.TemporaryDirectory(prefix="uns-kafka-") as folder:
        draft = Path(folder) / archive.name
        rehearsal = _Rehearsal(Path(folder) / "broker", draft, java_found, classpath)
        with contextlib.suppress(ServiceError):
            rehearsal.start()
            rehearsal.stop(ARCHIVE_WAIT_S)
        complete = archive.with_suffix(".new")
        complete.write_bytes(draft.read_bytes() if draft.exists() else b"")
        complete.replace(archive)


def _release(version: str) -> tuple[int, ...]:
    """Major and minor: what decides whether storage can be read."""
    return tuple(int(part) for part in version.split(".")[:2])


def cluster_id(number: uuid.UUID) -> str:
    """A UUID as Kafka writes it, one bit short: a dash in front would be an option to Kafka's tools."""
    first, *rest = number.bytes
    return urlsafe_b64encode(bytes([first & 0x7F, *rest])).decode().rstrip("=")


def _format(java_path: str, classpath: str, properties: Path) -> None:
    cluster = cluster_id(uuid.uuid4())
    done = subprocess.run(
        [java_path, *JVM, "-cp", classpath, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ServiceError(f"Kafka's storage cannot be made: {(done.stdout + done.stderr).strip()[-500:]}")


def _client(bootstrap: str) -> dict[str, object]:
    return {
        "bootstrap.servers": bootstrap,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 100,
        "topic.metadata.refresh.fast.interval.ms": 20,
        "log_level": 0,
    }


def probe(bootstrap: str, deadline: float, alive: Callable[[], bool] = lambda: True) -> None:
    """Writes one record in a transaction to a topic of its own, reads it as a group, and removes both.

    So the coordinators of groups and transactions are warm for the first real client. `deadline` is of
    `time.monotonic`. Raises `ServiceError` or `KafkaException`.
    """
    name = f"uns-probe-{secrets.token_hex(4)}"
    client = _client(bootstrap)
    admin = AdminClient(client)
    _answered(admin, deadline, alive)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(_left(deadline))
    consumer = Consumer(
        client
        | {
            "group.id": name,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    try:
        # Joins in the background while the other coordinator comes up: each takes a second at first.
        consumer.subscribe([name])
        producer = Producer(client | {"transactional.id": name})
        producer.init_transactions(_left(deadline))
        producer.begin_transaction()
        producer.produce(name, b"probe", partition=0)
        producer.commit_transaction(_left(deadline))
        while True:
            message = consumer.poll(min(0.2, _left(deadline)))
            if message is not None and message.error() is None:
                break
            if not alive():
                raise ServiceError("the process ended")
        consumer.commit(offsets=[TopicPartition(name, 0, 1)], asynchronous=False)
    finally:
        consumer.close()
    admin.delete_topics([name])[name].result(_left(deadline))
    with contextlib.suppress(KafkaException):
        admin.delete_consumer_groups([name])[name].result(_left(deadline))


def _answered(admin: AdminClient, deadline: float, alive: Callable[[], bool]) -> None:
    while True:
        try:
            admin.list_topics(timeout=min(0.5, _left(deadline)))
            return
        except KafkaException as error:
            if error.args[0].code() not in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):
                raise
        if not alive():
            raise ServiceError("the process ended")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise ServiceError("no answer in time")
    return left
