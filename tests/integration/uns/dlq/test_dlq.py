"""`uns dlq` on real Kafka: what a sink and a fold refused is given again once, by whoever, however often, killed or not."""

import csv
import io
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from schemas.records import Sample, Samples
from tests.contract.rest_server import RestServer
from tests.harness import consume_all, eventually
from tests.integration.uns.runners.sink.site import DEADLINE_S, Site, T
from topology.namespace.classes import MessageClass
from topology.namespace.topics import partition, topic
from uns.cli.app import app
from uns.kafka.message import error_headers, identified
from uns.runtime.settings import settings
from uns.testing import downtime


class Desk(Site):
    """A site with commands."""

    @property
    def environ(self) -> dict[str, str]:
        return {name: value for name, value in self._environ.items() if name != "UNS_METRICS_PORT"}

    def uns(self, *arguments: str) -> Result:
        settings.cache_clear()
        try:
            return CliRunner().invoke(app, list(arguments), env=self.environ)
        finally:
            settings.cache_clear()

    def dlq(self, *arguments: str) -> Any:
        said = self.uns("dlq", *arguments, "--json")
        assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
        return json.loads(said.stdout)

    def states(self) -> Counter[str]:
        return Counter(each["state"] for each in self.dlq("list", "--state", "any", "--most", "100000")["items"])

    def refused(self, value: bytes, number: int, **why: Any) -> None:
        """A raw record in quarantine, as the processors put it there."""
        cell = self.cells[number % len(self.cells)]
        headers = error_headers(
            **{
                "connector": "uns-processors",
                "stage": "TRANSFORMATION",
                "reason": "unknown_code",
                "words": "no such code",
                "topic": self.topic(MessageClass.RAW),
                "partition": partition(cell, 2),
                "offset": number,
                **why,
            }
        )
        self.put(cell, MessageClass.QUARANTINE, value, headers=[*identified(f"id-{number}", ()), *headers])


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer().serving() as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path, kafka: str, registry: str, enterprise: str, server: RestServer) -> Iterator[Desk]:
    found = Desk(tmp_path, kafka, registry, enterprise, "rest", server.config | {"tries": 3, "tries_s": 1})
    yield found
    found.stop()


@pytest.mark.long
def test_what_a_target_refused_reaches_it_once_it_is_mended_and_that_sink_alone(desk: Desk, server: RestServer) -> None:
    cell = desk.cells[0]
    bad = downtime(1, reason=f"please {server.refused}", path=str(cell))
    desk.tell(cell, bad)
    desk.tell(cell, downtime(2, path=str(cell)))
    desk.producer.flush()
    desk.start()
    eventually(lambda: desk.running() and desk.dlq("list")["count"] == 1, DEADLINE_S)
    [item] = desk.dlq("list", "--reason", "http_422", "--source", "rest", "--path", f"{desk.enterprise}/#")["items"]
    assert (item["kind"], item["path"], item["state"]) == ("sink", str(cell), "open")
    assert desk.dlq("show", item["id"])["record"]["reason"] == bad.reason

    # Refused anew: an item of its own, and the first one says so.
    assert desk.dlq("retry", item["id"], "--yes")["given"] == 1
    eventually(lambda: desk.running() and desk.states() == Counter(returned=1, open=1), DEADLINE_S)
    [again] = desk.dlq("list")["items"]
    assert again["id"] != item["id"]
    assert again["headers"]["uns.retry-of"] == item["id"]
    assert (again["topic"], again["offset"]) == (item["topic"], item["offset"]), "where it was read at first"

    server.refused = "nothing any more"
    assert desk.dlq("retry", "--all", "--why", "the target knows the reason now")["decided"] == 1
    assert desk.dlq("retry", "--all")["decided"] == 0
    assert desk.dlq("retry", again["id"])["decided_before"] == 1
    eventually(lambda: desk.running() and desk.states() == Counter(returned=1, resolved=1), DEADLINE_S)
    assert [one["external_id"] for one in server.objects].count(bad.natural_id) == 1
    assert len(server.objects) == 2
    assert desk.metric("uns_sink_given_again_total") == 2
    assert len(consume_all(desk.kafka, [topic(cell, MessageClass.DOWNTIME)])) == 2, "nobody else is given it again"
    desk.drained()


@pytest.mark.long
def test_a_sink_that_is_killed_while_it_is_given_records_again_has_each_once(desk: Desk, server: RestServer) -> None:
    chance, count = random.Random(7), 60
    word, server.refused = server.refused, "odd"
    for n in range(count):
        cell = desk.cells[n % 3]
        desk.tell(cell, downtime(n, reason=f"odd {n}", path=str(cell)))
    desk.producer.flush()
    desk.start()
    eventually(lambda: desk.running() and desk.dlq("list", "--most", "0")["count"] == count, DEADLINE_S)
    desk.stop()
    server.refused = word
    assert desk.dlq("retry", "--all")["given"] == count
    for _ in range(5):
        if len(server.objects) < count:
            desk.kill_in_midst(lambda: len(server.objects), chance, count)
    desk.start()
    eventually(lambda: desk.running() and desk.states() == Counter(resolved=count), DEADLINE_S)
    assert Counter(one["external_id"] for one in server.objects) == Counter(
        downtime(n, path=str(desk.cells[n % 3])).natural_id for n in range(count)
    )


def test_a_dropped_record_says_who_and_why_and_is_never_given_again(desk: Desk, tmp_path: Path) -> None:
    value = desk.codec.encode(Samples("plc", 1, (Sample("Good", T, 1),)))
    for number in range(4):
        desk.refused(value, number, **({"reason": "late"} if number == 3 else {}))
    desk.producer.flush()
    assert desk.uns("dlq", "drop", "--all", "--why", " ").exit_code == 1
    assert desk.uns("dlq", "drop", "--why", "x").exit_code == 1, "nothing selects"
    planned = desk.dlq("drop", "--reason", "unknown_code", "--why", "test run", "--by", "Jürgen", "--dry-run")
    assert (planned["decided"], planned["by_reason"], planned["dry_run"]) == (3, {"unknown_code": 3}, True)
    assert desk.states() == Counter(open=4)
    assert desk.dlq("drop", "--reason", "unknown_code", "--why", "test run", "--by", "Jürgen")["decided"] == 3
    assert desk.dlq("retry", "--all", "--dry-run")["decided"] == 1
    assert desk.states() == Counter(dropped=3, open=1)
    listed = desk.dlq("list", "--state", "dropped")
    assert {(each["by"], each["why"]) for each in listed["items"]} == {("Jürgen", "test run")}
    assert listed["by_reason"] == [{"source": "uns-processors", "reason": "unknown_code", "count": 3}]
    shown = desk.uns("dlq", "list").stdout.splitlines()
    assert shown[-1].split() == ["1", "open", "records"]
    out = tmp_path / "out.csv"
    assert desk.uns("dlq", "export", "--state", "any", "--format", "csv", "-o", str(out)).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert Counter(row["state"] for row in rows) == Counter(dropped=3, open=1)
    assert {(row["encoding"], row["payload"]) for row in rows} == {("hex", value.hex())}
    lines = desk.uns("dlq", "export", "--reason", "late").stdout.splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["late"]
    assert desk.uns("dlq", "show", "acme.dallas.packaging:0:99999").exit_code == 1


def test_doctor_and_the_metrics_say_how_many_are_open(desk: Desk) -> None:
    from uns.dlq.counting import OpenRecords, count_open
    from uns.local.doctor import Verdict, _quarantine

    for number in range(3):
        desk.refused(b"not ours", number)
    desk.producer.flush()
    environ = {name: value for name, value in desk.environ.items() if name.startswith("UNS_")}
    place = desk.settings.model_copy(update={"plant": Path(environ["UNS_PLANT"])})
    [finding] = _quarantine(place, {})
    assert (finding.verdict, "3 records" in finding.detail, "uns dlq list" in finding.fix) == (Verdict.WARN, True, True)
    counts = OpenRecords(desk.settings, desk.plant)
    counts.count()
    [family] = counts.collect()
    assert [(sample.labels, sample.value) for sample in family.samples] == [
        ({"source": "uns-processors", "reason": "unknown_code"}, 3)
    ]
    desk.dlq("drop", "--all", "--why", "no record")
    counts.count()
    [family] = counts.collect()
    assert [sample.value for sample in family.samples] == [0], "what is resolved goes to 0, and does not vanish"
    assert count_open(desk.settings, desk.plant) == {}
    [finding] = _quarantine(place, {})
    assert finding.verdict is Verdict.OK


def test_a_record_that_cannot_be_given_again_stays_open_and_says_why(desk: Desk) -> None:
    desk.refused(b"not ours", 0)
    desk.refused(desk.codec.encode(Samples("plc", 1, (Sample("Good", T, 1),))), 1)
    desk.producer.flush()
    said = desk.uns("dlq", "retry", "--all", "--yes")
    assert said.exit_code == 1
    assert "stays open: its bytes are no record" in said.stdout
    assert desk.states() == Counter(open=1, retried=1)


def _until_more(desk: Desk, before: int, process: "subprocess.Popen[bytes]") -> None:
    raw = [desk.topic(MessageClass.RAW)]
    eventually(lambda: process.poll() is not None or len(consume_all(desk.kafka, raw)) > before, DEADLINE_S)


@pytest.mark.long
@pytest.mark.parametrize("rounds", [20])
def test_however_often_it_is_asked_killed_and_asked_by_two_at_once_each_is_given_once(
    desk: Desk, tmp_path: Path, rounds: int
) -> None:
    """Between the records and what was decided of them there is no moment in which one is there without the other."""
    count, chance = 3_000, random.Random(3)
    for number in range(count):
        desk.refused(desk.codec.encode(Samples("plc", number + 1, (Sample("Good", T + number, number),))), number)
    desk.producer.flush()
    command = [sys.executable, "-m", "uns", "dlq", "retry", "--all", "--yes"]
    log = (tmp_path / "retry.log").open("wb")

    def begin() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(command, env=os.environ | desk.environ, stdout=log, stderr=log)

    raw = [desk.topic(MessageClass.RAW)]
    killed = 0
    for _ in range(rounds):
        before = len(consume_all(desk.kafka, raw))
        first, second = begin(), begin() if chance.random() < 0.5 else None
        _until_more(desk, before, first)
        time.sleep(chance.uniform(0, 0.2))  # the random moment, not a wait
        for process in (first, second):
            if process is not None:
                killed += process.poll() is None
                process.kill()
                process.wait()
    assert desk.dlq("retry", "--all")["left"] == 0
    found = consume_all(desk.kafka, raw)
    assert Counter(dict(m.headers() or [])["ce_id"] for m in found) == Counter(b"id-%d" % n for n in range(count))
    assert {m.value() for m in found} == {
        desk.codec.encode(Samples("plc", number + 1, (Sample("Good", T + number, number),))) for number in range(count)
    }
    assert desk.states() == Counter(retried=count)
    assert killed > 0
