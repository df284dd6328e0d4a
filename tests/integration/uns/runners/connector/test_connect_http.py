"""The HTTP connector as a process over real Kafka: what was answered 2xx is in `raw`, once, whatever ends half-way."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.harness import eventually
from tests.harness.connector_process import DEADLINE_S, World
from topology.namespace.path import Path as Place
from uns.local.kafka import Kafka
from uns.runtime.ports import free_port
from uns.testing.source import T0

CLIENTS = 6


def ingest(name: str, **options: Any) -> dict[str, Any]:
    config = {
        "url": f"http://127.0.0.1:{free_port()}",
        "tokens": [{"prefix": name, "token": "t"}],
        "lines": {"path": f"{name}/dallas/packaging/line-1/{{measurement}}"},
        **options,
    }
    return {"protocol": "http", "config": config}


class Poster(threading.Thread):
    """A client that posts numbers of its own, each twice at once with one key, in our JSON and as InfluxDB's lines."""

    def __init__(self, url: str, cell: Place, number: int) -> None:
        super().__init__(name=f"poster-{number}")
        self._url, self._cell, self._number = url, cell, number
        self.kept: set[int] = set()
        self.said: set[int] = set()
        self.answers: Counter[int] = Counter()
        self.stop = threading.Event()

    def run(self) -> None:
        with httpx2.Client(base_url=self._url, headers={"authorization": "Bearer t"}, timeout=30) as client:
            while not self.stop.is_set():
                value = len(self.said) * CLIENTS + self._number
                self.said.add(value)
                pair = [threading.Thread(target=self._post, args=(client, value)) for _ in range(2)]
                for thread in pair:
                    thread.start()
                for thread in pair:
                    thread.join()

    def _post(self, client: httpx2.Client, value: int) -> None:
        at, key = T0 + value * 1000, {"idempotency-key": f"{self._number}-{value}"}
        try:
            if value % 2:
                body = json.dumps({"at": at // 1000, "values": {"State": value}})
                answer = client.post(f"/v1/samples/{self._cell}", content=body, headers=key)
            else:
                line = f"{self._cell.segments[-1]} State={value}i {at}"
                answer = client.post("/api/v2/write?precision=us", content=line, headers=key)
        except httpx2.TransportError:
            self.stop.set()
            return
        self.answers[answer.status_code] += 1
        if answer.status_code in (202, 204):
            self.kept.add(value)


@pytest.mark.long
def test_what_was_answered_under_load_is_kept_once_though_it_is_ended_half_way(
    kafka: str, registry: str, enterprise: str, tmp_path: Path
) -> None:
    connector = ingest(enterprise)
    world = World.make(tmp_path, kafka, registry, enterprise, connector)
    posters = [Poster(connector["config"]["url"], world.cell, number) for number in range(CLIENTS)]
    with world.process() as process:
        process.ready()
        for poster in posters:
            poster.start()
        try:
            eventually(lambda: sum(len(poster.kept) for poster in posters) > 150, DEADLINE_S, process.log())
            assert process.terminate() == 0
        finally:
            for poster in posters:
                poster.stop.set()
            for poster in posters:
                poster.join()
        assert not {status for poster in posters for status in poster.answers} - {202, 204, 503}
    with world.process() as process:
        process.ready()
        world.settled()
        assert process.terminate() == 0
    times = Counter(sample.value for sample in world.samples("State"))
    kept, said = (set[int]().union(*(getattr(poster, name) for poster in posters)) for name in ("kept", "said"))
    assert kept <= times.keys() <= said
    assert set(times.values()) == {1}, "each once"
    assert all(sample.at == T0 + int(str(sample.value)) * 1000 for sample in world.samples("State"))


@pytest.mark.long
def test_without_kafka_nothing_is_promised_and_the_same_again_counts_once(
    registry: str, enterprise: str, tmp_path: Path
) -> None:
    folder, port = tmp_path / "kafka", free_port()
    broker = Kafka(folder, port)
    try:
        connector = ingest(enterprise, answer_s=0.5)
        world = World.make(tmp_path, broker.start(), registry, enterprise, connector)
        with (
            world.process() as process,
            httpx2.Client(base_url=connector["config"]["url"], headers={"authorization": "Bearer t"}, timeout=30) as client,
        ):  # fmt: skip
            process.ready()

            def post(value: int) -> httpx2.Response:
                body = json.dumps({"at": T0 // 1000 + value, "values": {"State": value}})
                return client.post(f"/v1/samples/{world.cell}", content=body, headers={"idempotency-key": f"k{value}"})

            assert post(0).status_code == 202
            broker.stop()
            for value in (1, 1, 2):
                answer = post(value)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            lines = client.post("/write?precision=us", content=f"filler Speed=1 {T0}")
            assert (lines.status_code, "retry-after" in lines.headers) == (503, True)
            assert client.get("/health").status_code == 200, "we listen; whether Kafka is there, /health/ready says"
            broker = Kafka(folder, port)
            broker.start()
            for value in (1, 2):
                eventually(lambda value=value: post(value).status_code == 202, DEADLINE_S, process.log())  # type: ignore[misc]
            world.settled()
            assert [sample.value for sample in world.samples("State")] == [0, 1, 2]
            assert process.terminate() == 0
    finally:
        broker.stop()
