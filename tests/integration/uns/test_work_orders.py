"""A stop's whole way: to a work order in a foreign system, and back as the reason that corrects it everywhere."""

import os
import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.records import Downtime, Reason, WorkOrder
from tests.harness.cutting import cutting
from tests.harness.json_server import JsonServer, json_server
from tests.harness.line_logs import CELL, HOUR, MINUTE, T0, S, Told, beats, ordered, samples, ticks
from tests.harness.waiting import until
from tests.harness.worked_area import WorkedArea, end_worker
from topology.namespace.classes import MessageClass
from topology.namespace.topics import topic
from uns.kafka.log import read
from uns.runtime.child import Child

END = T0 + 2 * HOUR
KEPT = {"retention.ms": "-1"}
TYPE = {
    "tags": {
        "State": {"role": "state", "map": "packml"},
        "Good": {"role": "good_count"},
        "Heartbeat": {"role": "heartbeat"},
        "Code": {"role": "reason"},
    },
    "ideal_cycle_s": 6.0,
    "silent_after_s": 60,
    "reasons": {
        201: {"name": "drive fault", "category": "breakdown"},
        202: {"name": "bearing worn", "category": "breakdown"},
    },
}


def plant(orders_url: str, reads_url: str, mes_url: str) -> str:
    """A model with `{enterprise}`: two sinks, and the connector that asks what became of the work orders."""
    order = {
        "external_id": "{natural_id}",
        "status": "OPEN",
        "asset": "{path}",
        "stopped_at": "{started_at}",
        "times": "{times}",
        "minutes": "{minutes}",
    }
    comment = {"workOrderId": "{remote_id}", "external_id": "{natural_id}", "text": "again at {started_at}"}
    orders = {
        "class": "downtime",
        "when": "{{ category == 'breakdown' and kind == 'stop' }}",
        "create": {"url": "/workOrders", "body": order},
        "lookup": {"url": "/workOrders?external_id={natural_id}"},
        "update": {
            "method": "PATCH",
            "url": "/workOrders/{remote_id}",
            "body": {"times": "{times}", "minutes": "{minutes}"},
        },
        "object": {
            "key": "{path}/{reason_code}",
            "there": {"url": "/workOrders/{remote_id}", "open": "{{ body.status == 'OPEN' }}"},
            "comment": {
                "url": "/comments",
                "body": comment,
                "lookup": {"url": "/comments?external_id={natural_id}"},
            },
        },
    }
    stop = {"external_id": "{natural_id}", "code": "{reason_code}", "by": "{reason_by}"}
    stops = {
        "class": "downtime",
        "create": {"url": "/stops", "body": stop},
        "lookup": {"url": "/stops?external_id={natural_id}"},
        "update": {"method": "PATCH", "url": "/stops/{remote_id}", "body": stop},
    }
    closed = {
        "name": "closed",
        "url": "/workOrders?updatedAt_gte={since}&_page={page}&_limit=10&_sort=updatedAt",
        "items": "[?status=='DONE']",
        "key": ["id"],
        "watermark": "updatedAt",
        "every_s": 0.2,
        "row": "reason",
        "path": "{asset}",
        "levels": "paths",
        "columns": {
            "n": "id",
            "asset": "asset",
            "code": "closingCode",
            "at": "stopped_at",
            "by": "completedBy",
            "min": "labourMinutes",
        },
        "words": {"bearing worn": 202},
        "fields": {"id": "wo-{n}", "code": "code", "started_at": "at", "by": "by", "comment": "WO {n}, {min} min"},
    }
    orders_told = {
        "name": "orders",
        "url": "/workOrders",
        "key": ["id"],
        "every_s": 0.2,
        "row": "work_order",
        "path": "{asset}",
        "levels": "paths",
        "columns": {
            "n": "id",
            "asset": "asset",
            "status": "status",
            "about": "external_id",
            "at": "stopped_at",
            "code": "closingCode",
            "s": "labourSeconds",
        },
        "fields": {
            "id": "wo-{n}",
            "status": "status",
            "about": "about",
            "started_at": "at",
            "code": "code",
            "labour_s": "s",
        },
    }
    own = {"filter": "ENTERPRISE/#", "classes": ["downtime"]}
    model = {
        "namespace": {
            "enterprise": "ENTERPRISE",
            "sites": {"dallas": {"areas": {"packaging": {"lines": {"line-1": {"cells": {"filler": "filler"}}}}}}},
        },
        "types": {"filler": TYPE},
        "time": {"tick_s": 0.1, "lateness_s": 10, "horizon_h": 8},
        "sinks": {
            "cmms": {
                "kind": "rest",
                "subscribe": own,
                "config": {"base_url": orders_url, "settle_s": 0, "requests": [orders]},
            },
            "mes": {
                "kind": "rest",
                "subscribe": own,
                "config": {"base_url": mes_url, "settle_s": 0, "requests": [stops]},
            },
        },
        "connectors": {"cmms": {"protocol": "rest", "config": {"url": reads_url, "queries": [closed, orders_told]}}},
    }
    text = yaml.safe_dump(model, allow_unicode=True)
    return text.replace("{", "{{").replace("}", "}}").replace("ENTERPRISE", "{enterprise}")


class Running:
    """The processes of the area, which may be killed and started again."""

    def __init__(self, area: WorkedArea) -> None:
        self._area, self._children = area, dict[tuple[str, str], Child]()

    def start(self, kind: str, name: str) -> None:
        command = [sys.executable, "-m", "uns", "run", kind, name]
        self._children[kind, name] = Child(command, self._log(kind, name), os.environ | self._area.environ)

    def kill(self, kind: str, name: str) -> None:
        self._children[kind, name].kill()

    def end(self) -> None:
        for child in self._children.values():
            child.kill()

    def said(self) -> str:
        return "\n".join(str(child.tail(15)) for child in self._children.values())

    def _log(self, kind: str, name: str) -> Path:
        return self._area.folder / f"{kind}-{name}.log"


@contextmanager
def working(area: WorkedArea) -> Iterator[Running]:
    worker, running = area.worker(), Running(area)
    try:
        for kind, name in (("sink", "cmms"), ("sink", "mes"), ("connector", "cmms")):
            running.start(kind, name)
        yield running
    finally:
        running.end()
        end_worker(worker)


def stopped(from_min: float, to_min: float) -> list[Told]:
    return [
        samples(T0 + int(from_min * MINUTE), State=9, Code=201),
        samples(T0 + int(to_min * MINUTE), State=6, Code=0),
    ]


def history(*stops: tuple[float, float]) -> list[Told]:
    told = [samples(T0, State=6, Good=0, Code=0), *beats(T0, END), *ticks(T0, END, 30 * S)]
    return ordered([*told, *(one for stop in stops for one in stopped(*stop))])


def records(area: WorkedArea, message_class: MessageClass) -> list[Any]:
    log = read(area.settings, topic(area.area, message_class), 0)
    return [area.codec.decode(record.value) for record in log if record.value]


def newest(area: WorkedArea) -> dict[str, Downtime]:
    """Stops that count, by natural id."""
    found = {one.natural_id: one for one in records(area, MessageClass.DOWNTIME) if isinstance(one, Downtime)}
    return {name: one for name, one in found.items() if not one.withdrawn}


def reasons(area: WorkedArea) -> list[Reason]:
    return [one for one in records(area, MessageClass.RAW) if isinstance(one, Reason)]


def work_orders(area: WorkedArea) -> dict[str, list[WorkOrder]]:
    """All that was told of each, in its order."""
    found: dict[str, list[WorkOrder]] = {}
    for one in records(area, MessageClass.RAW):
        if isinstance(one, WorkOrder):
            found.setdefault(one.id, []).append(one)
    return found


def close(cmms: JsonServer, number: int) -> None:
    cmms.change("workOrders", number, status="DONE", closingCode="bearing worn", completedBy="Jörg", labourMinutes=35, labourSeconds=2100, updatedAt="2026-11-23T09:00:00.000Z")  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_stop_is_a_work_order_and_comes_back_as_its_reason(kafka: str, registry: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        cmms = stack.enter_context(json_server(tmp_path / "cmms", "workOrders", "comments", "stops"))
        orders, reads = (stack.enter_context(cutting(cmms.port, share=0.1)) for _ in range(2))
        area = WorkedArea.made(kafka, registry, tmp_path, plant(orders.url, reads.url, cmms.url), END, KEPT)
        running = stack.enter_context(working(area))
        area.tell(history((20, 30), (50, 55)), T0)
        chance = random.Random(5)
        for _ in range(5):
            seen = orders.passed + chance.randrange(1, 6)
            until(lambda seen=seen: orders.passed >= seen or len(cmms.all("comments")) == 1, 90, running.said)  # type: ignore[misc]
            running.kill("sink", "cmms")
            running.start("sink", "cmms")
        until(lambda: len(cmms.all("comments")) == 1 and cmms.all("workOrders")[0]["minutes"] == 15, 90, running.said)
        [order] = cmms.all("workOrders")
        assert (order["asset"], order["times"]) == (CELL.replace("acme", area.enterprise, 1), 2)
        first = order["external_id"]
        assert newest(area)[first].reason_code == 201

        until(lambda: "wo-1" in work_orders(area), 90, running.said)
        close(cmms, order["id"])
        for _ in range(3):
            seen = reads.passed + chance.randrange(1, 20)
            until(lambda seen=seen: reads.passed >= seen, 90, running.said)  # type: ignore[misc]
            running.kill("connector", "cmms")
            running.start("connector", "cmms")
        until(lambda: newest(area)[first].reason_code == 202, 90, running.said)
        [reason] = reasons(area)
        assert (reason.id, reason.code, reason.by, reason.comment) == ("wo-1", 202, "Jörg", "WO 1, 35 min")
        until(lambda: {"code": 202, "by": "Jörg"}.items() <= stop_of(cmms, first).items(), 90, running.said)

        area.tell([*stopped(122, 130), *beats(END, END + HOUR // 4), *ticks(END, END + HOUR // 4, 30 * S)])
        until(lambda: len(cmms.all("workOrders")) == 2, 90, running.said)
        assert [(one["status"], one["times"]) for one in cmms.all("workOrders")] == [("DONE", 2), ("OPEN", 1)]
        assert len(cmms.all("comments")) == 1
        assert len(reasons(area)) == 1
        until(lambda: len(work_orders(area)) == 2, 90, running.said)
        told = work_orders(area)
        assert [(one.status, one.code, one.labour_s, one.about) for one in told["wo-1"]] == [
            ("OPEN", None, None, first),
            ("DONE", "bearing worn", 2100.0, first),
        ]
        assert [one.status for one in told["wo-2"]] == ["OPEN"]
        assert records(area, MessageClass.QUARANTINE) == []
        assert orders.cuts + reads.cuts > 0


def stop_of(cmms: JsonServer, external_id: str) -> dict[str, Any]:
    [found] = [one for one in cmms.all("stops") if one["external_id"] == external_id]
    return found
