"""Work orders in a foreign system: one a machine and cause, later stops as comments, whatever breaks on the way."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Derived, Downtime
from sinks.base import LeftBehind, Rejected, Unwritten
from tests.contract.rest_writing import delivered
from tests.harness.cutting import Cutting, cutting
from tests.harness.json_server import JsonServer, json_server
from tests.harness.rest_process import CAUSES, CELLS, config, history, stop
from tests.harness.rounds import few_and_many
from tests.harness.waiting import until
from uns.testing import delivery

ROOT = Path(__file__).parents[4]


@pytest.fixture
def cmms(tmp_path: Path) -> Iterator[JsonServer]:
    with json_server(tmp_path / "cmms", "workOrders", "comments", "readings") as server:
        yield server


def write(options: dict[str, Any], folder: Path, *records: Derived) -> list[Unwritten]:
    made = [delivery(record, n) for n, record in enumerate(records)]  # type: ignore[arg-type]
    return asyncio.run(delivered(options, folder / "state", made))


def same(number: int, revision: int = 0, **more: object) -> Downtime:
    """Stops of one machine with one cause."""
    return stop(4 * number, revision, **more)


def test_a_second_stop_of_the_same_cause_is_a_comment(cmms: JsonServer, tmp_path: Path) -> None:
    made = [same(0), same(1), stop(1), stop(2), same(2)]
    assert write(config(cmms.url), tmp_path, *made) == []
    assert write(config(cmms.url), tmp_path, *made) == [], "twice is once"
    orders = cmms.all("workOrders")
    assert [(one["asset"], one["cause"]) for one in orders] == [(CELLS[0], 201), (CELLS[1], 201), (CELLS[0], 202)]
    first = orders[0]
    assert (first["times"], first["minutes"], first["priority"]) == (3, 1.5, "HIGH")
    assert first["seen"]["page"] == f"https://uns.example.com/line/{CELLS[0]}"
    assert first["seen"]["from"] < first["seen"]["until"]
    assert [(one["workOrderId"], one["external_id"]) for one in cmms.all("comments")] == [
        (str(first["id"]), same(n).natural_id) for n in (1, 2)
    ]


def test_one_that_was_closed_there_takes_no_more_and_the_next_stop_makes_another(
    cmms: JsonServer, tmp_path: Path
) -> None:
    write(config(cmms.url), tmp_path, same(0), same(1))
    cmms.change("workOrders", 1, status="DONE")
    [left] = write(config(cmms.url), tmp_path, same(0, 1, reason_code=202))
    assert isinstance(left, LeftBehind)
    assert "closed there" in left.message
    assert write(config(cmms.url), tmp_path, same(2), same(3)) == []
    assert [(one["status"], one["times"]) for one in cmms.all("workOrders")] == [("DONE", 2), ("OPEN", 2)]
    assert [one["workOrderId"] for one in cmms.all("comments")] == ["1", "2"]


def test_a_record_stays_with_its_object_whatever_its_key_becomes(cmms: JsonServer, tmp_path: Path) -> None:
    assert write(config(cmms.url), tmp_path, same(0), same(0, 1, reason_code=202), same(1)) == []
    [order] = cmms.all("workOrders")
    assert order["times"] == 2


def test_an_object_of_a_time_before_they_were_shared_is_kept(cmms: JsonServer, tmp_path: Path) -> None:
    plain, shared = config(cmms.url), config(cmms.url)
    del plain["requests"][0]["object"]
    for call in ("create", "update"):
        plain["requests"][0][call]["body"] = {"external_id": "{natural_id}", "status": "OPEN"}
    assert write(plain, tmp_path, same(0)) == []
    assert write(shared, tmp_path, same(0, 1), same(1), same(2)) == []
    assert [(one["external_id"], one["times"]) for one in cmms.all("workOrders")] == [
        (same(0).natural_id, 1),
        (same(1).natural_id, 2),
    ]


def test_a_stop_that_is_taken_back_counts_no_more(cmms: JsonServer, tmp_path: Path) -> None:
    gone = same(1, 1, ended_at=same(1).started_at)
    assert gone.withdrawn
    assert write(config(cmms.url), tmp_path, same(0), same(1), gone) == []
    [order] = cmms.all("workOrders")
    assert (order["times"], order["minutes"]) == (1, 0.5)


def test_closing_follows_once_all_stops_are_over(cmms: JsonServer, tmp_path: Path) -> None:
    close = {"method": "PATCH", "url": "/workOrders/{remote_id}", "body": {"status": "DONE", "minutes": "{minutes}"}}
    options = config(cmms.url, closed_when="{{ ended_at is not none }}", close=close)
    on = same(0, ended_at=None, status="provisional")
    assert write(options, tmp_path, on, same(1)) == []
    assert [one["status"] for one in cmms.all("workOrders")] == ["OPEN"], "the first one lasts"
    assert write(options, tmp_path, same(0, 1)) == []
    assert [(one["status"], one["minutes"]) for one in cmms.all("workOrders")] == [("DONE", 1.0)]
    assert write(options, tmp_path, same(2)) == []
    assert [one["status"] for one in cmms.all("workOrders")] == ["DONE", "DONE"], "another stop, another order"
    assert len(cmms.all("comments")) == 1


def test_over_the_rate_a_stop_is_told_at_another_order_or_counted(cmms: JsonServer, tmp_path: Path) -> None:
    options = config(cmms.url, creates_per_h_max=1)
    assert write(options, tmp_path, stop(0), stop(2)) == [], "another cause, told at the open order of the machine"
    assert (len(cmms.all("workOrders")), len(cmms.all("comments"))) == (1, 1)
    cmms.change("workOrders", 1, status="DONE")
    [left] = write(options, tmp_path, stop(4))
    assert isinstance(left, LeftBehind)
    assert "more than 1" in left.message
    assert write(options, tmp_path, stop(4), stop(1)) == [], "once, and another machine has its own rate"
    later = stop(8, started_at=stop(8).started_at + 3_600_000_000, ended_at=None)
    assert write(options, tmp_path, later) == []
    assert [one["withheld"] for one in cmms.all("workOrders")] == [0, 0, 1], "the next one says what was withheld"
    assert write(options, tmp_path, stop(12, started_at=later.started_at + 1, ended_at=None)) == []
    assert cmms.all("comments")[-1]["withheld"] == 0, "once"


def test_an_idle_object_takes_no_more(cmms: JsonServer, tmp_path: Path) -> None:
    late = same(1, started_at=same(0).started_at + 7_300_000_000, ended_at=None)
    assert write(config(cmms.url, idle_h=2, there=None), tmp_path, same(0), late) == []
    assert len(cmms.all("workOrders")) == 2


def test_one_that_is_refused_is_made_of_the_next(cmms: JsonServer, tmp_path: Path) -> None:
    options = config(cmms.url)
    wrong = json.loads(json.dumps(options))
    wrong["requests"][0]["create"]["url"] = "/nowhere"
    [rejected] = write(wrong, tmp_path, same(0))
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "http_404"
    assert write(options, tmp_path, same(1), same(2), same(0)) == []
    [order] = cmms.all("workOrders")
    assert order["external_id"] == same(1).natural_id
    assert {one["external_id"] for one in cmms.all("comments")} == {same(2).natural_id, same(0).natural_id}


def test_a_meter_sums_up_what_its_records_add(cmms: JsonServer, tmp_path: Path) -> None:
    options = {
        "base_url": cmms.url,
        "settle_s": 0,
        "requests": [
            {
                "class": "downtime",
                "name": "meter",
                "sums": {"of": {"stopped_s": "{{ (ended_at | epoch_s) - (started_at | epoch_s) }}"}},
                "create": {
                    "url": "/readings",
                    "body": {"meter": "{path}", "external_id": "{natural_id}", "value": "{{ sums.stopped_s }}"},
                },
                "lookup": {"url": "/readings?external_id={natural_id}"},
                "update": {
                    "method": "PATCH",
                    "url": "/readings/{remote_id}",
                    "body": {"value": "{{ sums.stopped_s }}"},
                },
            }
        ],
    }
    longer = same(1, 1, ended_at=same(1).started_at + 50_000_000)
    assert write(options, tmp_path, same(0), same(1), stop(1), longer, longer, same(2)) == []
    readings = [(one["meter"], one["value"]) for one in cmms.all("readings")]
    assert readings == [(CELLS[0], 30), (CELLS[0], 80), (CELLS[1], 30), (CELLS[0], 110)]


def check_exact(cmms: JsonServer, count: int) -> None:
    """One order a machine and cause, each other stop once at its order, and the sums of all."""
    stops = [stop(number) for number in range(count)]
    groups = {
        (cell, cause): [s for s in stops if (s.path, s.reason_code) == (cell, cause)]
        for cell in CELLS
        for cause in CAUSES
    }
    orders = cmms.all("workOrders")
    assert Counter((one["asset"], one["cause"]) for one in orders) == Counter(dict.fromkeys(groups, 1))
    told = Counter((int(one["workOrderId"]), one["external_id"]) for one in cmms.all("comments"))
    expected = Counter[tuple[int, str]]()
    for order in orders:
        group = groups[order["asset"], order["cause"]]
        assert order["external_id"] == group[0].natural_id
        assert (order["times"], order["minutes"]) == (len(group), len(group) / 2)
        expected.update((order["id"], each.natural_id) for each in group[1:])
    assert told == expected, "comments once each"


@few_and_many("kills", 2, 20, 600)
def test_killed_behind_a_line_that_loses_answers(cmms: JsonServer, tmp_path: Path, kills: int) -> None:
    count, chance = 20 + 7 * kills, random.Random(3)
    with cutting(cmms.port, share=0.05) as proxy:
        for _ in range(kills):
            process = _writing(proxy, tmp_path, count)
            after = proxy.passed + chance.randrange(1, 40)
            until(lambda after=after, process=process: proxy.passed >= after or process.poll() is not None)  # type: ignore[misc]
            process.kill()
            assert process.wait() != 0, "it was killed, and had not come to its end"
        process = _writing(proxy, tmp_path, count)
        out, err = process.communicate(timeout=500)
        assert process.returncode == 0, err[-2000:]
        assert "written" in out
        assert proxy.cuts > kills // 2
    check_exact(cmms, count)
    assert len(history(count)) > count


def _writing(proxy: Cutting, folder: Path, count: int) -> "subprocess.Popen[str]":
    command = [
        sys.executable,
        "-m",
        "tests.harness.rest_process",
        json.dumps(config(proxy.url)),
        str(folder / "state"),
        str(count),
    ]
    return subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
