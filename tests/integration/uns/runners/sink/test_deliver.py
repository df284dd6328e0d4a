"""Sinks as processes on real Kafka: killed again and again, the target holds exactly what the log holds."""

import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from schemas.records import Downtime, Sample, Samples
from tests.contract.rest_server import RestServer
from tests.harness import eventually
from tests.integration.uns.runners.sink.site import DEADLINE_S, History, Site, T
from topology.namespace.classes import MessageClass
from topology.namespace.topics import partition
from uns.kafka import lag
from uns.runners.sink import trial
from uns.runtime.ports import free_port
from uns.testing import downtime


@pytest.fixture
def history(tmp_path: Path, kafka: str, registry: str, postgres: str, enterprise: str) -> Iterator[History]:
    found = History(tmp_path, kafka, registry, postgres, enterprise)
    yield found
    found.stop()
    found.ask("DROP SCHEMA IF EXISTS {} CASCADE")


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
    # Where the last kill had left nothing to write, it may not have come as far as to take the signal itself.
    assert history.child.stop(10) in (0, -signal.SIGTERM), history.child.tail()


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


@pytest.mark.long
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
    shown = trial.last(orders.settings, orders.plant, "rest")
    assert isinstance(shown.record, Downtime)
    assert trial.tell(orders.plant, "rest", shown)[0]["body"]["external_id"] == shown.record.natural_id
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
