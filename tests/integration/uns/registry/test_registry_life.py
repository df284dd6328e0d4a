"""Registries that stop, restart, begin anew and take each other's place; and what their clients make of it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from structlog.testing import capture_logs

from schemas.catalog import source
from schemas.codec import Codec
from schemas.records import DERIVED_TYPES, TYPES, Order, Tick
from tests.harness.records import EXAMPLES
from tests.harness.registries import OwnRegistry, ReadOnly
from uns.errors import UserError
from uns.registry.client import RegistryClient, RegistryRefused, RegistryUnavailable
from uns.registry.log import NotWritten, SchemaLog
from uns.registry.store import Version, schema_record
from uns.runtime.settings import Settings


@pytest.fixture
def own(kafka: str, enterprise: str, tmp_path: Path) -> Iterator[OwnRegistry]:
    with OwnRegistry(kafka, f"_schemas-{enterprise}", tmp_path / "registry.log") as running:
        yield running


def _schema(name: str) -> str:
    return json.dumps({"type": "record", "name": name, "fields": [{"name": "a", "type": "int"}]})


def _register(url: str, subject: str, schema: str) -> int:
    answer = httpx2.post(f"{url}/subjects/{subject}/versions", json={"schema": schema}, timeout=30)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def test_a_restart_keeps_ids_and_deletes(own: OwnRegistry) -> None:
    ids = {name: _register(own.url, name, _schema(name)) for name in ("A", "B", "C")}
    for permanent in ("false", "true"):
        httpx2.delete(f"{own.url}/subjects/C", params={"permanent": permanent}).raise_for_status()
    httpx2.put(f"{own.url}/config/A", json={"compatibility": "FULL"}).raise_for_status()
    own.stop()
    own.start()
    assert httpx2.get(f"{own.url}/subjects").json() == ["A", "B"]
    assert httpx2.get(f"{own.url}/schemas/ids/{ids['B']}").json()["schema"] == _schema("B")
    assert httpx2.get(f"{own.url}/config/A").json() == {"compatibilityLevel": "FULL"}
    assert _register(own.url, "A", _schema("A")) == ids["A"]
    assert _register(own.url, "D", _schema("D")) == max(ids.values()) + 1, "C's id is never given again"


def test_registrations_at_once_get_ids_of_their_own(own: OwnRegistry) -> None:
    names = [f"N{number}" for number in range(24)]
    with ThreadPoolExecutor(12) as at_once:
        ids = list(at_once.map(lambda name: _register(own.url, name, _schema(name)), names))
        same = set(at_once.map(lambda name: _register(own.url, f"same-{name}", _schema("Same")), names))
    assert sorted(ids) == list(range(1, 25))
    assert len(same) == 1
    for name, id_ in zip(names, ids, strict=True):
        assert json.loads(httpx2.get(f"{own.url}/schemas/ids/{id_}").json()["schema"])["name"] == name


def test_a_second_registry_takes_over_and_the_first_ends(own: OwnRegistry, tmp_path: Path) -> None:
    first = _register(own.url, "A", _schema("A"))
    with OwnRegistry(own.kafka, own.topic, tmp_path / "second.log") as second:
        assert _register(second.url, "B", _schema("B")) == first + 1
        refused = httpx2.post(f"{own.url}/subjects/C/versions", json={"schema": _schema("C")}, timeout=30)
        assert (refused.status_code, refused.json()["error_code"]) == (500, 50001)
        assert own.ended() == 1
        assert "another registry has taken over" in own.log.read_text()
        assert httpx2.get(f"{second.url}/subjects").json() == ["A", "B"]


def test_the_fenced_writer_writes_nothing(kafka: str, enterprise: str) -> None:
    settings, topic = Settings(bootstrap=kafka), f"_schemas-{enterprise}"
    first, second = SchemaLog(settings, topic), SchemaLog(settings, topic)
    try:
        first.open()
        first.write([schema_record(Version("s", 1, 1, _schema("T")))])
        assert first.store.next_id() == 2, "a write is answered after it was read back"
        second.open()
        assert second.store.versions("s") == [Version("s", 1, 1, _schema("T"))]
        with pytest.raises(NotWritten, match="fenced"):
            first.write([schema_record(Version("s", 2, 9, _schema("U")))])
        assert first.fenced
        second.write([schema_record(Version("s", 2, second.store.next_id(), _schema("V")))])
        assert [(one.version, one.id) for one in second.store.versions("s")] == [(1, 1), (2, 2)]
    finally:
        first.close()
        second.close()


def test_a_registry_started_twice_by_mistake_leaves_the_first_alone(own: OwnRegistry) -> None:
    again = subprocess.run(
        [sys.executable, "-m", "uns", "run", "registry", "--port", str(own.port)],
        env=os.environ | {"UNS_BOOTSTRAP": own.kafka},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == 1
    assert "choose another with --port" in again.stderr
    assert _register(own.url, "A", _schema("A")) == 1


def test_it_ends_in_order_when_it_is_told_to(own: OwnRegistry) -> None:
    assert own.stop() == 0


@pytest.mark.parametrize(
    ("partitions", "policy", "words"), [(1, "delete", "cleanup.policy=delete"), (2, "compact", "2 partitions")]
)
def test_a_topic_that_would_lose_schemas_is_refused(
    kafka: str, enterprise: str, partitions: int, policy: str, words: str
) -> None:
    topic = f"_schemas-{enterprise}"
    new = NewTopic(topic, partitions, 1, config={"cleanup.policy": policy})
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([new])[topic].result(20)
    with pytest.raises(UserError, match=words):
        SchemaLog(Settings(bootstrap=kafka), topic).open()


# -- clients ---------------------------------------------------------------------------------------------------


def _ids(codec: Codec) -> dict[str, int]:
    return {type(record).__name__: int.from_bytes(codec.encode(record)[1:5], "big") for record in EXAMPLES}


def test_an_outage_stops_nobody_who_has_asked_once(own: OwnRegistry, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    foreign = _register(own.url, "uns.Tick", json.dumps(json.loads(source("Tick")) | {"doc": "another writer's"}))
    before = RegistryClient(own.url, cache).codec()
    ids = _ids(before)
    data = b"\0" + foreign.to_bytes(4, "big") + before.encode(Tick(at=1, worker="w"))[5:]
    assert before.decode(data) == Tick(at=1, worker="w")
    own.stop()
    with capture_logs() as logs:
        registry = RegistryClient(own.url, cache)
        after = registry.codec()
        registry.codec()
    assert _ids(after) == ids
    assert after.decode(data) == Tick(at=1, worker="w"), "an id met before the outage"
    assert [line["event"] for line in logs] == ["registry does not answer, cached schemas serve"]
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        after.decode(b"\0\0\x06\x79\x32" + data[5:])
    for writes in ((), (Tick,)):
        with pytest.raises(RegistryUnavailable, match="does not answer"):
            RegistryClient(own.url, tmp_path / "empty").codec(writes)


def test_who_runs_for_long_knows_all_versions_before_the_registry_goes(own: OwnRegistry, tmp_path: Path) -> None:
    older = _register(own.url, "uns.Tick", json.dumps(json.loads(source("Tick")) | {"doc": "an older writer's"}))
    newest = _register(own.url, "uns.Tick", source("Tick"))
    codec = RegistryClient(own.url, tmp_path).codec(TYPES.values())
    own.stop()
    for id_ in (older, newest):
        assert codec.decode(b"\0" + id_.to_bytes(4, "big") + b"\2\2w") == Tick(at=1, worker="w")
    assert codec.encode(Tick(at=1, worker="w"))[1:5] == newest.to_bytes(4, "big")


def test_a_registry_that_began_anew_is_believed_over_the_cache(own: OwnRegistry, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    _register(own.url, "earlier", _schema("Earlier"))
    before = _ids(RegistryClient(own.url, cache).codec())
    own.stop()
    own.topic += "-anew"
    own.start()
    codec = RegistryClient(own.url, cache).codec()
    assert _ids(codec) == {name: id_ - 1 for name, id_ in before.items()}
    for name, id_ in _ids(codec).items():
        assert httpx2.get(f"{own.url}/schemas/ids/{id_}").json()["schema"] == source(name)
        assert RegistryClient(own.url, cache).schema(id_) == source(name), "the texts of before are forgotten too"


def test_an_unknown_id_is_not_asked_for_again_at_once(own: OwnRegistry, tmp_path: Path) -> None:
    registry = RegistryClient(own.url, tmp_path)
    with pytest.raises(LookupError, match="424242"):
        registry.schema(424242)
    own.stop()
    with pytest.raises(LookupError, match="424242"):
        registry.schema(424242)


def test_a_page_not_found_of_something_else_is_no_verdict(tmp_path: Path) -> None:
    """A proxy in front of a registry that is away says 404 too."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as beside:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        asked = beside.submit(RegistryClient(url, tmp_path).schema, 5)
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\nconnection: close\r\n\r\nnot found")
        with pytest.raises(RegistryUnavailable):
            asked.result(30)


def test_a_schema_is_registered_by_the_first_write_of_its_record(own: OwnRegistry, tmp_path: Path) -> None:
    codec = RegistryClient(own.url, tmp_path / "a").codec([Tick, *DERIVED_TYPES])
    assert httpx2.get(f"{own.url}/subjects").json() == []
    codec.encode(Tick(at=1, worker="w"))
    assert httpx2.get(f"{own.url}/subjects").json() == ["uns.Tick"]
    ids = _ids(codec)
    assert set(ids) == set(TYPES)
    assert _ids(RegistryClient(own.url, tmp_path / "b").codec(TYPES.values())) == ids


def test_who_writes_what_is_registered_needs_no_right_to_register(own: OwnRegistry, tmp_path: Path) -> None:
    older = json.loads(source("Order")) | {"doc": "an older writer's"}
    _register(own.url, "uns.Tick", source("Tick"))
    _register(own.url, "uns.Order", json.dumps(older))
    with ReadOnly(own.url) as guard:
        codec = RegistryClient(guard.url, tmp_path).codec([Tick, Order])
        codec.encode(Tick(at=1, worker="w"))
        assert guard.refused == []
        with pytest.raises(RegistryRefused, match=r"refuses uns\.Order: .*read-only.*`uns apply`"):
            codec.encode(Order(id="1", product="cola", started_at=1))
    assert guard.refused == ["POST /subjects/uns.Order/versions?normalize=False"]
