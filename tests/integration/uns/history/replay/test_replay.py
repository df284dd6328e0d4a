"""`uns replay` against what a real worker published on real Kafka."""

import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import yaml
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

import uns.cli.replay  # noqa: F401  (registers the command)
from processors.line import LineFold
from processors.output.identity import revised
from schemas.records import Derived, Oee, Production
from schemas.text import iso
from tests.harness.line_logs import CELL, HOUR, MINUTE, T0, S, ordered, samples, ticks
from tests.harness.line_scenarios import scenario
from tests.harness.waiting import started, until
from tests.harness.worked_area import WorkedArea, end_worker
from topology.kpi.definition import definition
from topology.model.loader import load
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.topics import topic
from uns.history.replay import offline
from uns.history.replay.publish import publish
from uns.history.replay.recompute import raw_partitions
from uns.kafka.log import read
from uns.kafka.offsets import watermarks
from uns.kafka.publish import NotPublished

PLANT = """\
namespace:
  enterprise: {enterprise}
  sites: {{dallas: {{areas: {{packaging: {{lines: {{line-1: {{cells: {{filler: filler, capper: filler}}}}}}}}}}}}}}
types:
  filler:
    tags:
      State: {{role: state, map: packml}}
      Mode: {{role: mode, map: {{1: production, 2: maintenance, 3: manual, 4: setup}}}}
      Good: {{role: good_count, modulus: 1000}}
      Scrap: {{role: scrap_count}}
      StopReason: {{role: reason}}
      FillVolume: {{role: characteristic, lsl: 490, usl: 510, baseline: 10}}
    ideal_cycle_s: 6.0
    reasons: {{101: {{name: bottle jam, category: micro}}, 201: {{name: drive fault, category: breakdown}}}}
time: {{tick_s: 0.1, lateness_s: 10, horizon_h: 1}}
"""
END = T0 + 4 * HOUR
CLASSES = ("state", "production", "downtime", "oee", "quality", "alert")
LATE = ("--horizon", "30d", *(f"--class={name}" for name in CLASSES))
"""Without kpi: the running day reaches into the worker's own horizon, so that it is the worker's to correct."""


class History(WorkedArea):
    """Four hours of two machines, folded by a worker whose correction horizon is one hour."""

    def write(self, record: Derived) -> None:
        """Puts a record where only the processors should."""
        name = topic(self.area, MessageClass(record.message_class))
        self.producer.produce(name, self.codec.encode(record), record.path.encode(), 0)
        assert self.producer.flush(30) == 0

    def records(self, message_class: MessageClass) -> list[Any]:
        """Derived records as they lie in the log."""
        log = read(self.settings, topic(self.area, message_class), 0)
        return [self.codec.decode(record.value) for record in log]

    def old(self) -> dict[str, list[Any]]:
        """Class → records that the worker, which goes on all the while, adds nothing to."""
        return {
            name: [r for r in self.records(MessageClass(name)) if r.ended_at is not None and r.ended_at < T0 + 2 * HOUR]
            for name in CLASSES
        }

    def committed(self) -> int:
        group = Consumer(self.settings.kafka(**{"group.id": f"uns-processors-{self.enterprise}"}))
        try:
            return int(group.committed([TopicPartition(self.raw, 0)], 10)[0].offset)
        finally:
            group.close()

    def end(self) -> int:
        consumer = Consumer(self.settings.kafka(**{"group.id": "none"}))
        try:
            return watermarks(consumer, TopicPartition(self.raw, 0), 10)[1]
        finally:
            consumer.close()

    def replay(self, *arguments: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
        """Exit code, summary, differences."""
        result = self.invoke("replay", f"{self.enterprise}/#", "--json", *arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        documents = [json.loads(line) for line in result.stdout.splitlines()]
        assert documents, result.output
        return result.exit_code, documents[-1], documents[:-1]


@pytest.fixture(scope="module")
def history(kafka: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    found = History.made(kafka, registry, tmp_path_factory.mktemp("replay"), PLANT, END)
    scene = scenario(random.Random(7), minutes=150)
    found.tell(ordered([*scene.told, *ticks(T0, END, 30 * S)]))
    late = T0 + 20 * MINUTE + 123
    found.tell([samples(late, State=11), samples(late + MINUTE, State=6, Good=500)])  # a spool that came too late
    end = found.end()
    worker = started(
        found.worker,
        lambda _worker: until(lambda: found.committed() >= end, 60, found.said),
        end_worker,
        f"the worker that folds {end} records",
    )
    try:
        yield found
    finally:
        end_worker(worker)


def test_the_replay_says_what_a_running_worker_published(history: History) -> None:
    code, summary, differences = history.replay()
    assert (code, differences) == (0, []), summary
    assert summary["equal"]
    assert summary["corrections"] == 0
    assert [note for note in summary["notes"] if "2 raw records too late" in note] == summary["notes"] != []
    for name in (*CLASSES, "kpi"):
        counts = dict(summary["classes"][name])
        assert counts.pop("same") > 0, name
        assert not any(counts.values()), (name, counts)
    begin, end = T0 + HOUR, T0 + 2 * HOUR
    code, narrow, _ = history.replay("--from", iso(begin), "--to", iso(end), "--class", "oee")
    hours = [r for r in history.records(MessageClass.OEE) if begin <= r.started_at < end]
    assert code == 0
    assert narrow["classes"] == {"oee": summary["classes"]["oee"] | {"same": len({r.natural_id for r in hours})}}


def test_late_records_are_folded_in_and_published_as_corrections_once(history: History) -> None:
    before = history.old()
    code, summary, differences = history.replay(*LATE)
    assert code == 1
    assert summary["published"] is None
    assert summary["corrections"] == len(differences) > 0
    hour = next(d for d in differences if d["class"] == "oee" and d["started_at"] == iso(T0))
    assert hour["kind"] == "changed"
    assert set(hour["fields"]) >= {"good", "oee"}
    assert history.old() == before  # a dry run writes nothing

    code, summary, differences = history.replay(*LATE, "--publish")
    assert (code, summary["published"]) == (0, len(differences)), summary
    after = history.old()
    written: list[Derived] = [record for name in CLASSES for record in after[name][len(before[name]) :]]
    assert {r.id for r in written} == {d["correction"] for d in differences}
    known = {r.natural_id: r for name in CLASSES for r in before[name]}
    for record in written:
        last = known.get(record.natural_id)
        assert record.revision == (0 if last is None else last.revision + 1)
        assert record.status == ("final" if last is None else "corrected")
        assert record.id == revised(record.natural_id, record.revision)
    corrected = next(r for r in written if isinstance(r, Oee) and r.started_at == T0 and r.path.endswith("filler"))
    lies = list(read(history.settings, topic(history.area, MessageClass.OEE), 0))
    assert dict(next(r.headers for r in lies if history.codec.decode(r.value) == corrected)) == {
        "ce_id": corrected.id.encode(),
        "ce_specversion": b"1.0",
        "ce_source": corrected.path.encode(),
        "ce_type": b"uns.Oee",
        "content-type": b"application/avro",
    }
    code, summary, differences = history.replay(*LATE, "--publish")
    assert (code, differences, summary["published"]) == (0, [], 0)


def test_what_nobody_should_have_written_is_put_right_but_for_what_the_worker_owns(history: History) -> None:
    cell = CELL.replace("acme", history.enterprise, 1)
    made = [r for r in history.records(MessageClass.PRODUCTION) if r.path == cell]
    old = max((r for r in made if r.started_at == min(m.started_at for m in made)), key=lambda r: r.revision)
    strange = old.started_at - 10 * MINUTE
    extra = Production(
        id=old.id.partition("@")[0] + f"@20261123T010000.000000Z~{old.definition}:0",
        path=cell,
        started_at=strange,
        ended_at=strange + MINUTE,
        definition=old.definition,
        status="final",
        revision=0,
        inputs=old.inputs,
        good=7,
        scrap=0,
        resets=0,
        order=None,
        product=None,
    )
    wrong = msgspec.structs.replace(
        old, good=old.good + 40, revision=old.revision + 1, id=revised(old.natural_id, old.revision + 1)
    )
    history.write(extra)
    history.write(wrong)
    states = [r for r in history.records(MessageClass.STATE) if r.path == cell]
    open_now = [r for r in {r.natural_id: r for r in states}.values() if r.ended_at is None][-1]
    history.write(msgspec.structs.replace(open_now, mode="manual"))  # the very revision the worker wrote, but wrong

    code, summary, differences = history.replay(*LATE, "--publish")
    assert code == 1
    assert {(d["kind"], d["class"], d.get("skipped")) for d in differences} == {
        ("extra", "production", None),
        ("changed", "production", None),
        ("changed", "state", "owned"),
    }
    assert summary["published"] == 2
    assert summary["skipped"] == {"owned": 1}
    last = {r.natural_id: r for r in history.records(MessageClass.PRODUCTION)}
    mended, withdrawn = last[old.natural_id], last[extra.natural_id]
    assert (mended.good, mended.revision, mended.status) == (old.good, old.revision + 2, "corrected")
    assert (withdrawn.good, withdrawn.ended_at, withdrawn.revision) == (0, strange, 1)
    history.write(open_now)
    assert history.replay(*LATE)[0] == 0


def test_another_definition_gets_a_history_of_its_own(history: History) -> None:
    base = definition("iso22400@1")
    assert any(rule.element == "AUST" for rule in base.time_model)
    rules = [
        rule.model_copy(update={"element": "PDOT"}) if rule.element == "AUST" else rule for rule in base.time_model
    ]
    second = base.model_copy(update={"version": 9, "time_model": tuple(rules)}).model_dump(mode="json")
    own = yaml.safe_dump({"kpi_definitions": {"iso22400@9": second}})
    (history.folder / "plant" / "kpi.yaml").write_text(own, encoding="utf-8")
    options = ("--horizon", "30d", "--definition", "iso22400@9", "-c", "oee", "-c", "state")

    code, summary, differences = history.replay(*options)
    assert code == 1
    assert {d["kind"] for d in differences} == {"changed"}
    change = next(d for d in differences if d["class"] == "oee")
    assert change["published"]["definition"] == "iso22400@1"
    assert change["replayed"]["definition"] == "iso22400@9"
    old, new = change["fields"]["element_us"]
    assert old["AUST"] > 0 == new["AUST"]
    assert new["PDOT"] == old["PDOT"] + old["AUST"]
    assert summary["classes"]["oee"]["same"] > 0
    assert summary["classes"]["state"]["open"] > 0

    before = {r.natural_id for r in history.records(MessageClass.OEE)}
    code, summary, _ = history.replay(*options, "--publish")
    assert code == 0
    assert summary["published"] == summary["corrections"] > len(differences)  # a definition's history is whole
    fresh = [r for r in history.records(MessageClass.OEE) if r.natural_id not in before]
    assert {(r.definition, r.revision, r.status) for r in fresh if r.definition != "iso22400@1"} == {
        ("iso22400@9", 0, "final")
    }
    code, summary, differences = history.replay(*options, "--publish")
    assert (code, differences, summary["published"]) == (0, [], 0)
    assert history.replay(*LATE)[0] == 0  # the running definition's is as it was


def test_a_batch_goes_out_whole_or_not_at_all(history: History) -> None:
    made = [r for r in history.records(MessageClass.PRODUCTION) if r.definition == "iso22400@1"][:5]
    lost = [msgspec.structs.replace(r, definition="lost@1", id=r.id.replace("iso22400@1", "lost@1")) for r in made]
    lost[3] = msgspec.structs.replace(lost[3], revision=1 << 40)  # no schema holds it
    with pytest.raises(NotPublished, match=r"2 of 5 corrections published, then: .*does not fit"):
        list(publish(history.settings, history.codec, [(0, r) for r in lost], history.enterprise, batch=2))
    found = [r for r in history.records(MessageClass.PRODUCTION) if r.definition == "lost@1"]
    assert found == lost[:2]


def test_people_see_a_table(history: History) -> None:
    arguments = ("replay", f"{history.enterprise}/#", "-c", "oee", "-c", "state")  # what --horizon put right
    result = history.invoke(*arguments, COLUMNS="160")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert f"{history.enterprise}/dallas/packaging/line-1/filler" in lines
    assert any(line.split()[:3] == ["oee.hour", "2026-11-23T06:00:00Z", "changed"] for line in lines)
    assert any(line.split() == ["class", "same", "changed", "extra"] for line in lines)
    assert any("--publish sends them" in line for line in lines)
    assert any("late" in line and "--horizon" in line for line in lines)


def test_what_rests_on_removed_records_is_not_compared(history: History) -> None:
    code, whole, _ = history.replay(*LATE)
    assert code == 0
    admin = AdminClient(history.settings.kafka())
    name = topic(history.area, MessageClass.PRODUCTION)
    old = TopicPartition(name, 0, len(history.records(MessageClass.PRODUCTION)) // 2)
    admin.delete_records([old])[old].result()
    code, summary, differences = history.replay(*LATE)
    assert code == 0
    assert {(d["kind"], d["class"], d["published"]) for d in differences} == {("not_reproducible", "production", None)}
    assert f"{history.raw}[0]: retention has removed published records of production" in summary["notes"]

    cut = history.committed() // 2
    admin.delete_records([TopicPartition(history.raw, 0, cut)])[TopicPartition(history.raw, 0)].result()
    code, summary, differences = history.replay()
    assert {d["kind"] for d in differences} == {"not_reproducible"}, [
        d for d in differences if d["kind"] != "not_reproducible"
    ]
    assert code == 0
    assert summary["corrections"] == 0
    assert summary["skipped"] == {"not_reproducible": len(differences)}
    assert any(f"the first {cut} raw offsets" in note for note in summary["notes"])
    part = raw_partitions(load(history.folder / "plant", {}), Filter.parse("#"))[0]
    at = offline.cut(history.settings, f"uns-processors-{history.enterprise}", part.raw, 0)
    assert at.first == cut
    stale = at._replace(first=cut - 10)  # as if retention had gone on after the cut
    fold = LineFold(load(history.folder / "plant", {}), part.raw.topic, 0)
    scope = offline.Scope(part.paths, frozenset(), 0, 1)
    with pytest.raises(offline.Overtaken, match="run it again"):
        offline.compared(history.settings, history.codec, fold, part.raw, 0, stale, scope, HOUR)
    for name in ("state", "production"):
        counts = summary["classes"][name]
        assert counts["not_reproducible"] > 0
        assert counts["same"] > 0
    counts = summary["classes"]["state"]
    assert counts["same"] + counts["not_reproducible"] >= whole["classes"]["state"]["same"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("acme//x",), "is empty"),
        (("nowhere/#",), "no machine of the plant model"),
        (("#", "--from", "2026-11-23 6 o'clock"), "expected beginning, now"),
        (("#", "--to", "yesterday"), "expected beginning, now"),
        (("#", "--from", "now", "--to", "2d"), "is not before"),
        (("#", "--class", "raw"), "nothing to compare"),
        (("#", "--class", "oe"), "there are state"),
        (("#", "--definition", "mine@1"), "is not known"),
        (("#", "--horizon", "10m"), "below the plant's correction horizon"),
        (("#", "--horizon", "long"), "expected a span"),
    ],
)
def test_a_mistake_is_said_in_words(history: History, arguments: tuple[str, ...], words: str) -> None:
    result = history.invoke("replay", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_group_that_folded_nothing_is_trouble_and_not_equality(history: History) -> None:
    result = history.invoke("replay", f"{history.enterprise}/#", "--json", UNS_ENGINE_GROUP="a-group-of-nobody")
    assert result.exit_code == 2
    assert "group a-group-of-nobody: nothing could be compared" in result.stderr
    assert '"equal": true' not in result.stdout
