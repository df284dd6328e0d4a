"""Alarms through Kafka: a flood loses none, and `uns alarms` lists, counts, acknowledges, shelves and takes out of service."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Alert, Sample, Samples
from tests.harness.line_logs import CELL, MINUTE, T0, S, Told, tick
from tests.harness.mosquitto import mosquitto
from tests.harness.waiting import until
from tests.harness.worked_area import WorkedArea, end_worker
from topology.namespace.classes import MessageClass
from topology.namespace.topics import topic
from uns.kafka.log import read

KEPT = {"retention.ms": "-1"}


def flooded(tags: int) -> dict[str, Any]:
    """An alarm a tag; the first is latched."""
    return {f"a{n}": {"kind": "limit", "tag": f"T{n}", "hi": 1, "latch": n == 0} for n in range(tags)}


def plant(rules: dict[str, Any], connectors: dict[str, Any] | None = None) -> str:
    """One machine with these rules; `{enterprise}` is filled in."""
    lines = {"line-1": {"cells": {"filler": "filler"}}}
    model = {
        "namespace": {"enterprise": "ENTERPRISE", "sites": {"dallas": {"areas": {"packaging": {"lines": lines}}}}},
        "types": {"filler": {"tags": {}, "ideal_cycle_s": 6, "silent_after_s": None, "alarms": rules}},
        "connectors": connectors or {},
    }
    return json.dumps(model).replace("{", "{{").replace("}", "}}").replace("ENTERPRISE", "{enterprise}")


def flood(tags: int, pulses: int) -> list[Told]:
    """Each tag goes over its limit and back so many times in a minute; a tick each second."""
    log: list[Told] = []
    for second in range(60):
        at = T0 + second * S
        told = tuple(
            Sample(f"T{n}", at + step * 400_000, float(step == 0))
            for n in range(tags)
            for step in range(2)
            if second < pulses
        )
        log += [(CELL, Samples("plc", second, (*told, Sample("Beat", at, second)))), tick(at + S)]
    return [*log, *(tick(T0 + MINUTE + n * 10 * S) for n in range(1, 4))]


def newest(area: WorkedArea) -> dict[str, Alert]:
    """The newest revision of each alert."""
    log = read(area.settings, topic(area.area, MessageClass.ALERT), 0)
    alerts = [area.codec.decode(record.value) for record in log if record.value]
    return {of.natural_id: of for of in alerts if isinstance(of, Alert)}


def answer(area: WorkedArea, *arguments: str) -> Any:
    result = area.invoke("alarms", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


@pytest.mark.parametrize(
    ("tags", "pulses"), [(20, 10), pytest.param(200, 50, marks=pytest.mark.long)], ids=["200", "10000"]
)
def test_a_flood_and_what_people_say(kafka: str, registry: str, tmp_path: Path, tags: int, pulses: int) -> None:
    area = WorkedArea.made(kafka, registry, tmp_path, plant(flooded(tags)), T0 + 3 * MINUTE, KEPT)
    wanted = f"{area.enterprise}/#"
    machine = CELL.replace("acme", area.enterprise, 1)
    worker = area.worker()
    try:
        area.tell(flood(tags, pulses), T0)
        # the latched one is one alarm for all its pulses
        count = (tags - 1) * pulses + 1
        until(lambda: len(newest(area)) == count, 240, area.said)
        until(lambda: sum(of.status == "final" for of in newest(area).values()) == count - 1, 240, area.said)
        figures = answer(area, "stats", wanted, "--from", "5m", "--json")
        assert figures["alarms"] == count
        assert figures["verdict"] == "too many"
        assert len(figures["chattering"]) == tags - 1
        [standing] = [of for of in answer(area, "list", wanted, "--json") if of["state"] != "cleared"]
        assert standing["alarm_state"] == "latched_unacknowledged"
        answer(area, "ack", standing["id"], "--by", "anna", "--reset", "--comment", "fan replaced")
        assert "id a1@" in answer(area, "shelve", machine, "a1", "--for", "30m", "--by", "anna")
        assert "out of service" in answer(area, "service", machine, "*", "--by", "bo")
        refused = area.invoke("alarms", "shelve", machine, "a1", "--for", "9d", "--by", "anna")
        assert "out of service instead" in str(refused.exception)
        natural = standing["id"].rpartition(":")[0]
        until(lambda: newest(area)[natural].ended_at is not None, 120, area.said)
        assert (newest(area)[natural].acknowledged_by, newest(area)[natural].comment) == ("anna", "fan replaced")
    finally:
        end_worker(worker)


@pytest.mark.long
def test_values_of_a_foreign_publisher_become_an_alarm(kafka: str, registry: str, tmp_path: Path) -> None:
    """mosquitto_pub and its broker are not ours."""
    client = shutil.which("mosquitto_pub")
    if client is None:
        pytest.skip("mosquitto_pub is not installed (Debian: mosquitto-clients)")
    with mosquitto(tmp_path / "broker", ["allow_anonymous true"]) as broker:
        told = {
            "topic": "oven/{tag}",
            "tag": "{tag}",
            "path": "ENTERPRISE/dallas/packaging/line-1/filler",
            "payload": "value",
        }
        config = {
            "protocol": "mqtt",
            "config": {"broker": broker.url(), "client_id": "uns-oven", "subscriptions": [told]},
        }
        rule = {"kind": "limit", "tag": "Temp", "hi": 85, "deadband": 5, "unit": "°C"}
        model = plant({"hot": rule}, {"oven": config})
        area = WorkedArea.made(kafka, registry, tmp_path, model, round(time.time() * S), KEPT)
        worker = area.worker()
        connector = subprocess.Popen(
            [sys.executable, "-m", "uns", "run", "connector", "oven"], env=os.environ | area.environ
        )

        def publish(value: float) -> bool:
            command = [client, "-p", str(broker.ports[0]), "-t", "oven/Temp", "-m", str(value)]
            return subprocess.run(command, check=False).returncode == 0

        try:
            until(lambda: publish(85.25) and newest(area), 240, area.said)
            [raised] = newest(area).values()
            assert raised.message.endswith("Temp is high: 85.25 °C, the limit is 85 °C")
            until(lambda: publish(79.5) and next(iter(newest(area).values())).ended_at, 120, area.said)
            [returned] = newest(area).values()
            assert (returned.alarm_state, returned.value) == ("returned_unacknowledged", 85.25)
        finally:
            end_worker(worker)
            end_worker(connector)
