"""Sinks as processes on real Kafka: killed again and again, the target holds exactly what the log holds."""

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
import yaml
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient
from psycopg import sql

from schemas.codec import Codec
from schemas.records import Record, Sample, Samples
from tests.contract.rest_server import RestServer
from tests.harness import consume_all, eventually
from topology.model.loader import load
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import partition, topic
from uns.kafka import lag
from uns.model.apply import apply_plant
from uns.registry.client import RegistryClient
from uns.runners.sink.service import group
from uns.runtime.child import Child
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings
from uns.testing import downtime

T = 1_795_000_000_000_000
DEADLINE_S = 40.0


class Site:
    """A plant folder with one sink, its topics, and the sink as a process."""

    def __init__(
        self, folder: Path, kafka: str, registry: str, enterprise: str, kind: str, config: dict[str, Any]
    ) -> None:
        self.kafka, self.enterprise, self.kind = kafka, enterprise, kind
        self.settings = Settings(bootstrap=kafka, registry=registry, state_dir=folder / "state")
        lines = {f"line-{n}": {"cells": {"filler": "filler"}} for n in (1, 2, 3)}
        self.cells = [Place.parse(f"{enterprise}/dallas/packaging/{line}/filler") for line in lines]
        areas = {"packaging": {"partitions": 2, "lines": lines}}
        classes = ["raw", "downtime"] if kind == "historian" else ["downtime"]
        model = {
            "namespace": {"enterprise": enterprise, "sites": {"dallas": {"areas": areas}}},
            "types": {"filler": {"tags": {"State": {"role": "state"}}, "ideal_cycle_s": 6.0}},
            "sinks": {kind: {"kind": kind, "subscribe": {"filter": f"{enterprise}/#", "classes": classes}, "config": config}},
        }  # fmt: skip
        (folder / "plant").mkdir()
        (folder / "plant" / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
        self.plant = load(folder / "plant", {})
        apply_plant(self.plant, self.settings)
        self.codec: Codec = RegistryClient(registry, folder / "schemas").codec()
        self.producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5})
        self.group = group(self.plant, kind)
        self.log = folder / "sink.log"
        self.port = free_port()
        self._environ = {
            "UNS_BOOTSTRAP": kafka,
            "UNS_REGISTRY": registry,
            "UNS_PLANT": str(folder / "plant"),
            "UNS_STATE_DIR": str(folder / "state"),
            "UNS_METRICS_PORT": str(self.port),
            "UNS_LOG_FORMAT": "json",
        }
        self.child: Child | None = None

    def topic(self, message_class: MessageClass) -> str:
        return topic(self.cells[0], message_class)

    def put(
        self, cell: Place, message_class: MessageClass, value: bytes | None, key: bytes | None = None, **more: Any
    ) -> None:
        """`value` as a record of a cell's partition."""
        name = topic(cell, message_class)
        self.producer.produce(name, value, str(cell).encode() if key is None else key, partition(cell, 2), **more)
        self.producer.poll(0)

    def tell(self, cell: Place, record: Record, **more: Any) -> None:
        message_class = MessageClass.RAW if isinstance(record, Samples) else MessageClass.DOWNTIME
        self.put(cell, message_class, self.codec.encode(record), **more)

    def messages(self, *classes: MessageClass) -> list[Message]:
        return consume_all(self.kafka, [self.topic(one) for one in classes])

    def start(self) -> None:
        self.child = Child([sys.executable, "-m", "uns", "run", "sink", self.kind], self.log, self._environ)

    def stop(self) -> None:
        if self.child is not None:
            self.child.kill()

    def running(self) -> bool:
        assert self.child is not None
        if not self.child.alive:
            raise RuntimeError(f"the sink ended: {self.child.tail(30)}")
        return True

    def kill_in_midst(self, written: Callable[[], int], chance: random.Random, produced: int) -> None:
        """Starts the sink, and kills it once it has written some more and a random moment has passed."""
        before = written()
        self.start()
        eventually(lambda: self.running() and written() > before, DEADLINE_S, "the sink writes")
        time.sleep(chance.uniform(0, 0.15))  # the random moment, not a wait
        assert self.child is not None
        self.child.kill()

    def drained(self) -> None:
        """The group has committed every partition of every topic that has records, and lags nowhere."""
        ends = {(m.topic(), m.partition()) for m in self.messages(*self._classes())}

        def level() -> bool:
            self.running()
            found = lag.by_partition(self.settings, self.group)
            return ends <= found.keys() and lag.total(self.settings, self.group) == 0

        eventually(level, DEADLINE_S, "lag is 0", every_s=0.1)

    def _classes(self) -> Sequence[MessageClass]:
        return self.plant.sinks[self.kind].subscribe.classes

    def served(self, page: str) -> tuple[int, str]:
        """Status and text of a page of the process; (0, "") where it does not serve yet."""
        try:
            answer = httpx2.get(f"http://127.0.0.1:{self.port}/{page}")
        except httpx2.TransportError:
            return 0, ""
        return answer.status_code, answer.text

    def metric(self, name: str) -> float:
        text = self.served("metrics")[1]
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


@pytest.fixture
def history(tmp_path: Path, kafka: str, registry: str, postgres: str, enterprise: str) -> Iterator["History"]:
    found = History(tmp_path, kafka, registry, postgres, enterprise)
    yield found
    found.stop()
    found.ask("DROP SCHEMA IF EXISTS {} CASCADE")


class History(Site):
    """A site with a historian."""

    def __init__(self, folder: Path, kafka: str, registry: str, postgres: str, enterprise: str) -> None:
        self.postgres, self.schema = postgres, enterprise.replace("-", "_")
        config = {"dsn": postgres, "schema_name": self.schema}
        super().__init__(folder, kafka, registry, enterprise, "historian", config)

    def ask(self, query: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(query).format(sql.Identifier(self.schema)))
            return cursor.fetchall() if cursor.description else []

    def cut(self) -> int:
        """Ends the session that has the sink's lock; how many had it."""
        query = """SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND objid::bigint = hashtextextended(%s, 0) & 4294967295"""
        with psycopg.connect(self.postgres) as connection:
            return len(connection.execute(query, [f"{self.schema}/historian"]).fetchall())

    def count(self) -> int:
        try:
            return int(self.ask("SELECT count(*) FROM {}.samples")[0][0])
        except psycopg.errors.UndefinedTable:
            return 0

    def samples(self) -> Counter[tuple[Any, ...]]:
        query = """SELECT path, tag, (extract(epoch FROM at) * 1000000)::bigint, value_integer,
            kafka_topic, kafka_partition, kafka_offset FROM {}.samples"""
        return Counter(self.ask(query))

    def logged(self) -> Counter[tuple[Any, ...]]:
        """The rows that the raw topic makes."""
        found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        for m in self.messages(MessageClass.RAW):
            record = self.codec.decode(m.value())
            assert isinstance(record, Samples)
            key = (m.key() or b"").decode()
            for s in record.samples:
                found[key, s.tag, s.at] = (key, s.tag, s.at, s.value, m.topic(), m.partition(), m.offset())
        return Counter(found.values())

    def say(self, numbers: range) -> None:
        for n in numbers:
            for cell in self.cells:
                # Every tenth repeats a moment with another value: the later one is to stay.
                found = (Sample("Good", T + (n - n % 10 // 9) * 1000, n), Sample("State", T + n * 1000, n % 7))
                self.tell(cell, Samples("plc", n + 1, found))
        self.producer.flush()


def test_a_historian_killed_in_midst_has_every_row_once(history: History) -> None:
    chance = random.Random(3)
    stop = threading.Event()
    count = 0

    def produce() -> None:
        nonlocal count
        while not stop.is_set():
            history.say(range(count, count + 50))
            count += 50
            stop.wait(0.1)

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        for _ in range(3):
            history.kill_in_midst(history.count, chance, count)
    finally:
        stop.set()
        producer.join()
    history.start()
    history.drained()
    assert history.samples() == history.logged()
    assert history.count() > 1000
    ends = {(m.topic(), m.partition()): m.offset() + 1 for m in history.messages(MessageClass.RAW)}
    stored = history.ask("SELECT topic, partition, next_offset FROM {}.sink_offset")
    assert {(name, number): offset for name, number, offset in stored} == ends
    assert history.child is not None
    assert history.child.stop(10) == 0, history.child.tail()


def test_a_historian_whose_connection_is_cut_goes_on(history: History) -> None:
    history.start()
    for n in range(6):
        history.say(range(n * 100, n * 100 + 100))
        eventually(lambda n=n: history.running() and history.count() > n * 300, DEADLINE_S)  # type: ignore[misc]
        eventually(history.cut, DEADLINE_S, "a session has the lock")
    history.say(range(600, 700))
    history.drained()
    assert history.samples() == history.logged()
    assert history.metric("uns_sink_retries_total") >= 1
    assert history.metric("uns_sink_target_up") == 1


def test_a_new_database_is_filled_from_the_beginning(history: History) -> None:
    """The group stands at the end, the database knows of nothing: the database counts."""
    history.say(range(100))
    history.start()
    history.drained()
    history.stop()
    history.ask("DROP SCHEMA {} CASCADE")
    history.say(range(100, 120))
    history.start()
    history.drained()
    assert history.samples() == history.logged()


def test_what_cannot_be_read_or_stored_goes_to_quarantine_with_its_bytes(history: History) -> None:
    cell = history.cells[0]
    good = history.codec.encode(Samples("plc", 1, (Sample("Good", T, 1),)))
    other = str(history.cells[1]).encode()
    nul = history.codec.encode(Samples("plc", 1, (Sample("Good\x00", T, 1),)))
    bad: list[tuple[bytes, bytes | None, str]] = [
        (other, b"not ours", "bad_magic"),
        (other, good[:-2], "bad_avro"),
        (other, None, "null_value"),
        (b"No Path", good, "bad_key"),
        (b"\xff\xfe", good, "bad_key"),
        (other, nul, "postgres_data"),
    ]
    history.say(range(20))
    for key, value, _ in bad:
        history.put(cell, MessageClass.RAW, value, key, headers=[("mine", b"kept")])
    history.say(range(20, 40))
    history.start()
    history.drained()
    found = history.messages(MessageClass.QUARANTINE)
    headers = [dict(m.headers() or []) for m in found]
    assert Counter(
        (m.key(), m.value(), h["uns.reason"].decode()) for m, h in zip(found, headers, strict=True)
    ) == Counter(bad)
    assert {(m.partition(), h["mine"], h["__connect.errors.topic"]) for m, h in zip(found, headers, strict=True)} == {
        (partition(cell, 2), b"kept", history.topic(MessageClass.RAW).encode())
    }
    originals = {
        m.offset(): (m.key(), m.value())
        for m in history.messages(MessageClass.RAW)
        if m.partition() == partition(cell, 2)
    }
    for m, h in zip(found, headers, strict=True):
        assert originals[int(h["__connect.errors.offset"])] == (m.key(), m.value())
    assert history.count() == 40 * 3 * 2 - 4 * 3, "and all the others are stored"
    assert history.metric('uns_sink_records_total{outcome="unreadable"') == 5
    assert history.metric('uns_sink_records_total{outcome="rejected"') == 1


def test_when_idle_the_position_is_past_transaction_markers(history: History) -> None:
    producer = Producer({"bootstrap.servers": history.kafka, "transactional.id": history.enterprise})
    producer.init_transactions(20)
    cell = history.cells[0]
    for n, finish in enumerate(
        (
            producer.commit_transaction,
            producer.abort_transaction,
            producer.commit_transaction,
            producer.abort_transaction,
        )
    ):
        producer.begin_transaction()
        for m in range(3):
            value = history.codec.encode(Samples("plc", n, (Sample("Good", T + n * 10 + m, n),)))
            producer.produce(history.topic(MessageClass.RAW), value, str(cell).encode(), partition(cell, 2))
        producer.flush()
        finish(20)
    history.start()
    history.drained()
    assert {row[3] for row in history.samples()} == {0, 2}, "what was aborted is not stored"
    assert history.samples().total() == 6


def test_a_second_process_waits_and_takes_over(history: History, tmp_path: Path) -> None:
    history.start()
    history.say(range(100))
    history.drained()
    first = history.child
    assert first is not None
    history._environ["UNS_METRICS_PORT"] = "0"
    history.log = tmp_path / "second.log"
    history.start()
    eventually(lambda: history.running() and "another instance" in history.log.read_text(), DEADLINE_S)
    history.say(range(100, 200))
    first.kill()
    history.drained()
    assert history.samples() == history.logged()


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer().serving() as found:
        yield found


@pytest.fixture
def orders(tmp_path: Path, kafka: str, registry: str, enterprise: str, server: RestServer) -> Iterator[Site]:
    found = Site(tmp_path, kafka, registry, enterprise, "rest", server.config | {"tries": 3, "tries_s": 1})
    yield found
    found.stop()


def test_a_flaky_target_has_every_object_once_at_its_newest_revision(orders: Site, server: RestServer) -> None:
    chance = random.Random(5)
    server.busy_share, server.lost_share = 0.03, 0.03
    wanted: dict[str, tuple[str, int]] = {}
    for n in range(150):
        for cell in orders.cells:
            for revision in range(chance.choice((1, 1, 1, 2, 3))):
                record = downtime(n, revision, f"reason {n}.{revision}", str(cell))
                wanted[record.natural_id] = f"reason {n}.{revision}", revision
                orders.tell(cell, record)
    refused = downtime(9999, reason=f"please {server.refused}", path=str(orders.cells[1]))
    orders.tell(orders.cells[1], refused)
    orders.producer.flush()
    for _ in range(3):
        orders.kill_in_midst(lambda: len(server.objects), chance, len(wanted))
    server.busy_share = server.lost_share = 0.01
    orders.start()
    orders.drained()
    assert Counter(one["external_id"] for one in server.objects) == Counter(wanted.keys()), "each once"
    assert {one["external_id"]: (one["reason"], one["revision"]) for one in server.objects} == wanted
    found = orders.messages(MessageClass.QUARANTINE)
    assert {m.value() for m in found} == {orders.codec.encode(refused)}
    assert all(dict(m.headers() or [])["uns.reason"] == b"http_422" for m in found)
    assert sum(path.startswith("/orders") for _, path, _ in server.requests) > len(wanted)


def test_a_target_that_is_away_keeps_the_group_and_the_order(orders: Site, server: RestServer) -> None:
    from starlette.responses import PlainTextResponse

    server.answer = lambda: PlainTextResponse("maintenance", 503)
    cell = orders.cells[0]
    for revision in range(3):
        orders.tell(cell, downtime(1, revision, f"revision {revision}", str(cell)))
    orders.producer.flush()
    orders.start()
    eventually(lambda: orders.running() and len(server.requests) >= 4, DEADLINE_S)
    admin = AdminClient({"bootstrap.servers": orders.kafka})
    members = admin.describe_consumer_groups([orders.group])[orders.group].result(10).members
    assert len(members) == 1
    ready = httpx2.get(f"http://127.0.0.1:{orders.port}/health/ready")
    assert (ready.status_code, "503" in ready.text, "maintenance" in ready.text) == (503, True, True)
    assert lag.by_partition(orders.settings, orders.group) == {}, "nothing is committed yet"
    server.answer = None
    orders.drained()
    assert [(one["reason"], one["revision"]) for one in server.objects] == [("revision 2", 2)]
    assert [method for method, _, _ in server.requests if method == "PATCH"] == ["PATCH", "PATCH"]
    assert httpx2.get(f"http://127.0.0.1:{orders.port}/health/ready").status_code == 200


def test_a_record_over_which_the_target_breaks_holds_up_its_machine_alone(orders: Site, server: RestServer) -> None:
    first, second = orders.cells[:2]
    server.trouble = lambda _request, body: ("500", False) if body and body["reason"] == "poison" else None
    orders.tell(first, downtime(0, reason="poison", path=str(first)))
    orders.tell(first, downtime(1, reason="behind it", path=str(first)))
    orders.producer.flush()
    orders.start()
    eventually(lambda: orders.running() and orders.metric("uns_sink_held") == 2, DEADLINE_S)
    # What comes later, in the same partition or not, goes past; and the place in the log waits.
    for n in range(20):
        orders.tell(second, downtime(n, reason=f"reason {n}", path=str(second)))
        orders.producer.flush()
        eventually(lambda n=n: any(one["reason"] == f"reason {n}" for one in server.objects), DEADLINE_S)  # type: ignore[misc]
    orders.drained()
    assert Counter(one["reason"] for one in server.objects) == Counter(
        ["behind it", *(f"reason {n}" for n in range(20))]
    )
    [message] = orders.messages(MessageClass.QUARANTINE)
    headers = dict(message.headers() or [])
    assert headers["uns.reason"] == b"http_500"
    assert b"while the target took others" in headers["__connect.errors.exception.message"]
    assert orders.metric("uns_sink_held") == 0
    assert orders.metric('uns_sink_outcomes_total{outcome="rejected"') == 1


def test_nothing_is_warned_of_after_a_full_apply_and_a_start_says_what_it_waits_for(orders: Site) -> None:
    orders.start()
    eventually(lambda: orders.served("health/ready")[0] == 200, DEADLINE_S)
    assert "warning" not in orders.log.read_text()
    orders.stop()
    orders._environ["UNS_BOOTSTRAP"] = f"127.0.0.1:{free_port()}"
    orders.start()
    eventually(lambda: orders.running() and "waiting for Kafka" in orders.log.read_text(), DEADLINE_S)
    status, text = orders.served("health/ready")
    assert (status, "uns apply" in text) == (503, True)


@pytest.mark.long
def test_killed_between_the_target_and_the_offset_again_and_again_nothing_is_twice(
    orders: Site, server: RestServer
) -> None:
    chance = random.Random(17)
    server.lost_share = 0.05
    count = 0
    for _ in range(25):
        for n in range(count, count + 20):
            for cell in orders.cells:
                orders.tell(cell, downtime(n, 0, f"reason {n}", str(cell)))
        count += 20
        orders.producer.flush()
        orders.kill_in_midst(lambda: len(server.objects), chance, count)
    server.lost_share = 0.0
    orders.start()
    orders.drained()
    wanted = {downtime(n, path=str(cell)).natural_id for n in range(count) for cell in orders.cells}
    assert Counter(one["external_id"] for one in server.objects) == Counter(wanted)
