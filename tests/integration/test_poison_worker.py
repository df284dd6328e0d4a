"""Poison of every kind in `raw`, for the real line fold, with kill -9 in between: a worker goes on, what is good counts,
what is not is in quarantine with its reason, and whoever reads the topics reads on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import TopicPartition

from schemas.records import (
    Acknowledge,
    Inspection,
    Order,
    Production,
    Raw,
    Reason,
    Sample,
    Samples,
    Shift,
    Tick,
    Value,
)
from tests.harness.records import EXAMPLES
from tests.harness.waiting import until
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.client import connect_sync
from uns.kafka import clients
from uns.kafka.message import quarantined
from uns.kafka.offsets import watermarks
from uns.model.apply import apply_plant
from uns.model.plant import load_plant
from uns.registry.client import RegistryClient
from uns.runtime import clock
from uns.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
YEAR_9999 = 253_370_764_800_000_000
S = 1_000_000
ROUNDS = 3


class Room:
    """A plant of one machine on the shared broker, its raw log, and a worker in a process of its own."""

    def __init__(self, kafka: str, registry: str, enterprise: str, folder: Path) -> None:
        self.line = f"{enterprise}/dallas/packaging/line-1"
        self.cell = f"{self.line}/filler"
        model = {
            "namespace": {
                "enterprise": enterprise,
                "sites": {"dallas": {"areas": {"packaging": {"lines": {"line-1": {"cells": {"filler": "f"}}}}}}},
            },
            "types": {
                "f": {
                    "tags": {
                        "State": {"role": "state", "map": "packml"},
                        "Good": {"role": "good_count", "counts": "increments"},
                        "Fill": {"role": "characteristic"},
                    },
                    "ideal_cycle_s": 1.0,
                    "reasons": {201: {"name": "drive", "category": "breakdown"}},
                }
            },
            "time": {"tick_s": 0.1, "production_s": 1, "provisional_s": 1, "kpi_s": 1, "lateness_s": 1},
        }
        (folder / "plant").mkdir()
        (folder / "plant" / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
        self.settings = Settings(bootstrap=kafka, registry=registry, state_dir=folder / "own", plant=folder / "plant")
        apply_plant(load_plant(self.settings.plant), self.settings)
        self.codec = RegistryClient(registry, folder / "own" / "schemas").codec()
        self.raw = topic(Place.parse(self.line), MessageClass.RAW)
        self.enterprise, self.folder = enterprise, folder
        self._producer = clients.producer(self.settings)
        self._group = clients.consumer(self.settings, f"uns-processors-{enterprise}")
        self._environ = os.environ | {
            "UNS_BOOTSTRAP": kafka,
            "UNS_REGISTRY": registry,
            "UNS_STATE_DIR": str(folder / "state"),
            "UNS_PLANT": str(folder / "plant"),
            "UNS_ENGINE_SESSION_TIMEOUT_S": "6",
        }

    def put(self, key: bytes | None, value: bytes | None, headers: Any = ()) -> None:
        self._producer.produce(self.raw, value, key, 0, headers=list(headers))

    def tell(self, record: Raw, path: str | None = None) -> None:
        self.put((path or self.cell).encode(), self.codec.encode(record))

    def worker(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            words = [sys.executable, "-m", "uns", "run", "processors"]
            return subprocess.Popen(words, env=self._environ, cwd=ROOT, stderr=log)

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    def folded(self, worker: subprocess.Popen[bytes]) -> None:
        """Waits until all that is in the log now is committed."""
        assert self._producer.flush(30) == 0
        end = watermarks(self._group, TopicPartition(self.raw, 0), 10)[1]

        def reached() -> bool:
            assert worker.poll() is None, self.log.read_text(encoding="utf-8")
            return bool(self._group.committed([TopicPartition(self.raw, 0)], 10)[0].offset >= end)

        until(reached, 90, lambda: self.log.read_text(encoding="utf-8"))

    def uns(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "uns", *words],
            env=self._environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def values(at: int, *told: tuple[str, Value]) -> Samples:
    return Samples("plc", at, tuple(Sample(tag, at, value) for tag, value in told))


def poisoned_bytes(room: Room, good: bytes) -> dict[str, list[tuple[bytes | None, bytes | None]]]:
    """Reason → keys and values."""
    key = room.cell.encode()
    derived = room.codec.encode(next(record for record in EXAMPLES if isinstance(record, Production)))
    return {
        "null_value": [(key, None)],
        "truncated": [(key, b""), (key, b"\0\0")],
        "bad_magic": [(key, b"\x01" + good[1:]), (key, b"\xff" * 900_000)],
        "unknown_schema": [(key, b"\0\x7f\xff\xff\xff" + good[5:])],
        "bad_avro": [(key, good[:-3]), (key, good[:5] + b"\xff" * 400)],
        "trailing_bytes": [(key, good + b"!")],
        "not_raw": [(key, derived)],
        "bad_key": [(None, good), (b"", good), (b"\xff\xfe", good), (b"No Path", good), (b"a/" * 2_000, good)],
        "foreign_path": [(b"elsewhere/dallas/packaging/line-1/filler", good)],
        "unknown_path": [(room.line.encode(), good), (f"{room.line}/nobody".encode(), good)],
    }


def poisoned_records(room: Room, at: int) -> dict[str, list[tuple[str, Raw]]]:
    """Reason → paths and records."""
    of_machine: dict[str, list[Raw]] = {
        "late": [values(-5, ("Good", 1)), values(LONG_MIN, ("Good", 1)), values(0, ("Good", 1))],
        "future": [values(YEAR_9999, ("Good", 1)), values(LONG_MAX, ("Good", 1))],
        "not_finite": [
            values(at, ("Good", float("nan"))),
            values(at, ("Fill", float("inf"))),
            Inspection(id="i", characteristic="Fill", at=at, value=float("nan")),
        ],
        "out_of_range": [
            values(at, ("Good", LONG_MIN)),
            values(at, ("Good", LONG_MAX)),
            values(at, ("Fill", 1e300)),
            Order(id="o", product="p", started_at=LONG_MAX),
            Order(id="o", product="p", started_at=at, ideal_cycle_s=float("nan")),
            Order(id="o", product="p", started_at=at, planned_quantity=LONG_MIN),
            Tick(at=LONG_MAX, worker="w"),
            Tick(at=-1, worker="w"),
            Tick(at=YEAR_9999, worker="w"),
        ],
        "wrong_type": [values(at, ("Good", "ten")), values(at, ("Good", None)), values(at, ("Fill", True))],
        "unmapped_state": [values(at - 60 * S, ("State", 99))],
        "bad_interval": [
            Order(id="o", product="p", started_at=at, ended_at=at - 1),
            Shift(id="s", name="s", started_at=at, ended_at=at - 1),
        ],
        "too_long": [
            Order(id="o", product="p" * 900_000, started_at=at),
            Order(id="o" * 129, product="p", started_at=at),
            Reason(id="r", code=201, started_at=at, by="b" * 129),
            Inspection(id="i", characteristic="c" * 900_000, at=at, value=1.0),
            values(at, ("Text", "x" * 900_000)),
            values(at, ("t" * 129, 1)),
        ],
        "unknown_code": [
            Reason(id="r", code=7, started_at=at, by="b"),
            Reason(id="r", code=LONG_MIN, started_at=at, by="b"),
        ],
        "unknown_alert": [
            Acknowledge(alert="x", at=at, by="b"),
            Acknowledge(alert=f"{room.cell}#alert.silent@20261123T060000.000000Z~x@1", at=at, by="b"),
        ],
    }
    told = {reason: [(room.cell, record) for record in records] for reason, records in of_machine.items()}
    told["too_long"].append((room.line, Order(id="o", product="p" * 900_000, started_at=at)))
    return told


@pytest.mark.long
def test_a_worker_lives_with_all_of_it(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> None:
    room = Room(kafka, registry, enterprise, tmp_path)
    expected: dict[str, int] = {}
    now = clock.system() // S * S
    for number in range(ROUNDS):
        worker = room.worker()
        try:
            at = now + number * S
            good = values(at, ("State", 6), ("Good", 5), ("Fill", 1.0))
            room.put(
                room.cell.encode(), room.codec.encode(good), [("ce_id", b"\xff\xfe"), ("", b""), ("h" * 9_000, None)]
            )
            room.folded(worker)  # the clock has ticked: from now on there is a horizon
            for reason, pairs in poisoned_bytes(room, room.codec.encode(good)).items():
                expected[reason] = expected.get(reason, 0) + len(pairs)
                for key, value in pairs:
                    room.put(key, value, [("traceparent", b"\xff" * 100_000)])
            for reason, records in poisoned_records(room, at).items():
                expected[reason] = expected.get(reason, 0) + len(records)
                for path, record in records:
                    room.tell(record, path)
            room.tell(Samples("plc", 0, ()))  # an empty record is no fault
            room.tell(Reason(id=f"{number}", code=201, started_at=at, by="b", comment="c" * 900_000))
            room.tell(values(at + S // 2, ("Good", 7)))
            room.folded(worker)
        finally:
            worker.kill()
            worker.wait()
    worker = room.worker()
    try:
        room.folded(worker)
        until(lambda: pieces(room) == ROUNDS * 12, 60, lambda: f"{pieces(room)} pieces")
    finally:
        worker.kill()
        worker.wait()
    told = [
        json.loads(line)
        for line in room.uns(
            "tail", f"{enterprise}/#", "-c", "quarantine", "--from", "beginning", "--no-follow", "--json"
        ).splitlines()
    ]
    reasons: dict[str, int] = {}
    for document in told:
        reasons[document["reason"]] = reasons.get(document["reason"], 0) + 1
    assert reasons == expected
    assert room.uns("tail", f"{enterprise}/#", "-c", "raw", "--from", "beginning", "--no-follow")
    assert "filler" in room.uns("tree", f"{enterprise}/#", "--tags")


def pieces(room: Room) -> int:
    """Good pieces of the machine by the newest revisions, through the library, past all that lies in the topics."""
    newest: dict[str, Production] = {}
    with connect_sync(room.settings.bootstrap, room.settings.registry, state_dir=room.folder / "reader") as ns:
        for item in ns.subscribe(f"{room.enterprise}/#", ["raw", "production"], begin="beginning", follow=False):
            if isinstance(item.record, Production) and item.message_class == "production":
                newest[item.record.natural_id] = item.record
            elif item.headers:
                quarantined(item.headers)
    return sum(record.good for record in newest.values())
