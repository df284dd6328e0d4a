"""How long from a correction that is committed in Kafka until PostgreSQL shows it, by `uns run sink` as a process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psycopg
import yaml
from confluent_kafka import Producer
from psycopg import sql

from bench.cluster import Failed, cluster
from bench.figures import Figure
from bench.sinks.job import Job, postgres
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.client.connection import codec
from uns.local.registry import Registry
from uns.model.apply import Applier
from uns.model.plant import load_plant
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings
from uns.testing import downtime

SCHEMA = "bench_correction"
CELL = "bench/site/area/line/machine"
CORRECTIONS = 50
DEADLINE_S = 60.0
POLL_S = 0.005


def measure(job: Job) -> list[Figure]:
    with (
        postgres(job.folder) as dsn,
        cluster(job.folder, job.say) as broker,
        Registry(job.folder / "registry", {"UNS_BOOTSTRAP": broker.bootstrap}) as registry,
    ):
        took = sorted(_corrections(job.folder, dsn, broker.bootstrap, registry.address))
    p95 = took[int(len(took) * 0.95)]
    return [
        Figure("a correction in PostgreSQL, median", took[len(took) // 2], "s"),
        Figure("a correction in PostgreSQL, 95 %", p95, "s", 1.0, at_most=True),
    ]


def _corrections(folder: Path, dsn: str, bootstrap: str, registry: str) -> list[float]:
    """Seconds of each."""
    settings = Settings(
        bootstrap=bootstrap, registry=registry, state_dir=folder / "state", plant=folder / "plant"
    )  # fmt: skip
    model = {
        "namespace": {"enterprise": "bench", "sites": {"site": {"areas": {"area": {"lines": {"line": {"cells": {"machine": "machine"}}}}}}}},
        "types": {"machine": {"tags": {}, "ideal_cycle_s": 1}},
        "sinks": {"historian": {"kind": "historian", "subscribe": {"filter": "bench/#", "classes": ["downtime"]}, "config": {"dsn": dsn, "schema_name": SCHEMA}}},
    }  # fmt: skip
    (folder / "plant").mkdir()
    (folder / "plant" / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    applier = Applier(settings, load_plant(folder / "plant"))
    applier.apply(applier.plan())
    environ = os.environ | {
        "UNS_BOOTSTRAP": str(settings.bootstrap),
        "UNS_REGISTRY": str(settings.registry),
        "UNS_STATE_DIR": str(settings.state_dir),
        "UNS_PLANT": str(settings.plant),
        "UNS_METRICS_PORT": str(free_port()),
    }
    encode, producer = codec(settings).encode, Producer(settings.kafka(**{"linger.ms": 0}))
    command = [sys.executable, "-m", "uns", "run", "sink", "historian"]
    took = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
        with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
            try:
                for revision in range(CORRECTIONS + 1):
                    record = msgspec.structs.replace(downtime(1, revision, f"reason {revision}"), path=CELL)
                    name = topic(Place.parse(CELL), MessageClass.DOWNTIME)
                    producer.produce(name, encode(record), CELL.encode())
                    producer.flush()
                    begun = time.monotonic()
                    _wait(connection, process, revision)
                    if revision:  # the first waits for the process, too
                        took.append(time.monotonic() - begun)
            finally:
                process.terminate()
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
    return took


def _wait(connection: psycopg.Connection, process: "subprocess.Popen[bytes]", revision: int) -> None:
    query = sql.SQL("SELECT max(revision) FROM {}.downtime_latest").format(sql.Identifier(SCHEMA))
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            if connection.execute(query).fetchone() == (revision,):
                return
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            pass  # the sink has not made it yet
        if process.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"revision {revision} is not in PostgreSQL after {DEADLINE_S:.0f} s")
        time.sleep(POLL_S)
