"""`uns audit` over what a real worker published on real Kafka."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

import uns.cli.audit
import uns.cli.kpi  # noqa: F401  (both register their commands)
from processors.output.identity import instant, natural_id
from schemas.records import Bottleneck, Break, Derived, Kpi, Order, Reason, Shift
from schemas.text import iso
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, S, beats, ordered, samples, ticks
from tests.harness.waiting import started, until
from tests.harness.worked_area import WorkedArea, end_worker
from topology.namespace.classes import MessageClass, class_of
from topology.namespace.topics import topic
from uns.kafka.log import read

PLANT = """\
namespace:
  enterprise: {enterprise}
  sites: {{dallas: {{areas: {{packaging: {{lines: {{line-1: {{cells: {{filler: filler}}}}}}}}}}}}}}
types:
  filler:
    tags:
      State: {{role: state, map: packml}}
      Good: {{role: good_count}}
      Scrap: {{role: scrap_count}}
      Heartbeat: {{role: heartbeat}}
      FillVolume: {{role: characteristic, lsl: 490, usl: 510}}
    ideal_cycle_s: 6.0
    silent_after_s: 60
    reasons: {{201: {{name: drive fault, category: breakdown}}, 301: {{name: cleaning, category: planned}}}}
time: {{tick_s: 0.1, lateness_s: 10, horizon_h: 8}}
kpi: {{definition: nakajima@1}}
"""
KEPT = {"retention.ms": "-1"}
"""What is told at times long ago stays."""
END = T0 + 2 * HOUR


@dataclass
class History(WorkedArea):
    """Two hours of a filler: it runs, stops from 06:20 to 06:50, runs on; early shift, order 4711."""

    hour: str = ""
    """Natural id of the hour from 06:00, which was corrected twice."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cell = CELL.replace("acme", self.enterprise, 1)

    def newest(self, kind: str, started_at: int, status: str, revisions: int = 1) -> Derived | None:
        """The newest of so many revisions of a status, once they are there."""
        marks = f"{self.cell}#{kind}@{instant(started_at)}~"
        try:
            log = [*read(self.settings, topic(self.area, class_of(kind) or MessageClass.RAW), 0)]
        except KafkaException:  # the topic is a moment old
            return None
        records = [self.codec.decode(record.value) for record in log]
        found = [r for r in records if isinstance(r, Derived) and r.id.startswith(marks) and r.status == status]
        return found[-1] if len(found) >= revisions else None

    def uns(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and output or the error's words."""
        result = self.invoke(*arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            return 1, str(result.exception)
        return result.exit_code, result.stdout

    def audit(self, *arguments: str) -> dict[str, Any]:
        code, text = self.uns("audit", *arguments, "--json")
        assert code == 0, text
        return dict(json.loads(text))


@pytest.fixture(scope="module")
def history(kafka: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    found = History.made(kafka, registry, tmp_path_factory.mktemp("audit"), PLANT, END, KEPT)
    shift = Shift(id="early", name="early", started_at=T0 - HOUR, ended_at=T0 + 7 * HOUR)
    found.tell([(LINE, Order(id="4711", product="cola", started_at=T0 - HOUR, ideal_cycle_s=5.0))], T0 - 72 * HOUR)
    found.tell([(LINE, shift)], T0 - 20 * HOUR)
    found.tell([(LINE, shift)], T0 - 2 * HOUR)  # told again every day, it changes nothing
    found.tell(
        ordered(
            [
                samples(T0, State=6, Good=0, Scrap=0),
                samples(T0 + 20 * MINUTE, State=2, Good=200, Scrap=10),
                samples(T0 + 50 * MINUTE, State=6),
                samples(T0 + 80 * MINUTE, State=6, Good=500, Scrap=12, FillVolume=501.5),
                samples(T0 + 90 * MINUTE, State=9),
                samples(T0 + 96 * MINUTE, State=6),
                *beats(T0, END),
                *ticks(T0, END, 30 * S),
            ]
        ),
        T0,
    )
    worker = started(
        found.worker,
        lambda _worker: until(lambda: found.newest("oee.hour", T0 + HOUR, "final"), 60, found.said),
        end_worker,
        "the worker that closes the second hour",
    )
    try:
        said = Reason(id="r1", code=301, started_at=T0 + 20 * MINUTE, by="anna", comment="cleaning, as planned")
        found.tell([(CELL, said)])
        until(lambda: found.newest("oee.hour", T0, "corrected"), 60, found.said)
        found.tell([samples(T0 + 40 * MINUTE, State=6, Good=300)])  # it ran from 06:40 on: a spool that came late
        hour = until(lambda: found.newest("oee.hour", T0, "corrected", revisions=2), 60, found.said)
        found.hour = hour.natural_id
        yield found
    finally:
        end_worker(worker)


def test_both_corrections_of_an_hour_with_who_and_what_caused_them(history: History) -> None:
    found = history.audit(history.hour, "--verify", "--raw", "1000")
    by_status: dict[str, list[dict[str, Any]]] = {}
    for one in found["revisions"]:
        by_status.setdefault(one["status"], []).append(one)
        assert one["verified"] == "equal, byte for byte", one
        assert one["cause"]["exact"]
    (final,) = by_status["final"]
    reasoned, late = by_status["corrected"]
    assert [one["revision"] for one in found["revisions"]] == list(range(len(found["revisions"])))

    assert reasoned["changed"]["element_us.PLANNED"] == [0, 30 * MINUTE]
    assert reasoned["changed"]["element_us.BREAKDOWN"] == [30 * MINUTE, 0]
    assert reasoned["changed"]["availability"] == [0.5, 1.0]
    (told,) = reasoned["cause"]["facts"]
    assert (told["type"], told["by"], told["comment"]) == ("Reason", "anna", "cleaning, as planned")
    assert reasoned["cause"]["late_samples"] == 0
    assert final["raw_cause"] < told["raw_offset"] <= reasoned["raw_cause"]

    assert late["changed"]["good"] == [200, 300]
    assert late["changed"]["element_us.PLANNED"] == [30 * MINUTE, 20 * MINUTE]
    assert late["cause"]["late_samples"] == 2  # state and counter
    assert late["cause"]["facts"] == []
    assert late["cause"]["late_first_offset"] == found["record"]["inputs"]["last_offset"]

    assert found["record"]["id"] == f"{history.hour}:{late['revision']}"
    assert found["definition"]["label"] == "nakajima@1"
    formulas = {one["name"]: one for one in found["formulas"]}
    assert all(one["agrees"] for one in formulas.values())
    assert formulas["performance"]["filled"] == "1,550 s / 2,400 s"
    assert formulas["NET"]["filled"] == "5 s * 310"
    inputs = found["inputs"]
    assert inputs["agrees"]
    assert {one["element"]: (one["us"], one["loss"]) for one in inputs["elements"]} == {
        "RUN": (40 * MINUTE, "none"),
        "PLANNED": (20 * MINUTE, "outside"),
    }
    assert inputs["elements"][1]["because"] == ["reason: planned"]
    assert [(one["reason"], one["reason_by"]) for one in inputs["stops"]] == [("cleaning", "anna")]
    assert sum(one["good"] for one in inputs["production"]) == 300
    assert {one["id"]: one["raw_offset"] for one in inputs["facts"]} == {
        "4711": 0,
        "early": 1,
        "r1": told["raw_offset"],
    }
    assert inputs["replaced"] == []
    listed = {one["raw_offset"]: one for one in found["raw"]["listed"]}
    assert len(listed) == found["raw"]["records"]
    assert listed[told["raw_offset"]]["by"] == "anna"
    for piece in inputs["pieces"]:
        assert listed[piece["first_offset"]]["type"] == "Samples"


def test_the_page_says_it_to_people(history: History) -> None:
    code, page = history.uns("audit", history.hour, "--raw", "3")
    assert code == 0
    assert "availability = OPERATING / LOADING = 2,400 s / 2,400 s = 1" in page
    assert "Reason r1 by anna" in page
    assert "comment=cleaning, as planned" in page
    assert "2 late samples" in page
    assert "element_us.BREAKDOWN: 1,800 s → 0 s" in page
    assert "stop: cleaning" in page
    assert "more; --raw with a greater number" in page


def test_by_path_class_and_time(history: History) -> None:
    at = iso(T0 + 5 * MINUTE)
    assert history.audit(history.cell, "oee.hour", at)["natural_id"] == history.hour
    stop = history.audit(history.cell, "downtime", iso(T0 + 25 * MINUTE))
    assert stop["revisions"][-1]["changed"]["ended_at"] == [iso(T0 + 50 * MINUTE), iso(T0 + 40 * MINUTE)]
    assert stop["revisions"][-1]["cause"]["late_samples"] == 2
    code, words = history.uns("audit", history.cell, "oee", at)
    assert code == 1
    assert "3 records" in words
    assert history.hour in words
    near = history.audit(history.hour, "--back", "1d")
    assert {one["id"] for one in near["inputs"]["facts"]} == {"early", "r1"}
    assert any("--back looks further" in note for note in near["notes"])  # the order was told three days before
    older = history.audit(f"{history.hour}:0")
    assert older["record"]["revision"] == 0
    assert older["inputs"]["agrees"]


def test_points_and_alerts_too(history: History) -> None:
    at = T0 + 80 * MINUTE
    point = history.audit(history.cell, "quality.FillVolume", iso(at), "--raw", "10")
    assert point["record"]["value"] == 501.5
    (listed,) = [one for one in point["raw"]["listed"] if one["type"] == "Samples"]
    assert listed["raw_offset"] == point["record"]["inputs"]["first_offset"]
    alert = history.audit(history.cell, "alert.breakdown", iso(T0 + 92 * MINUTE))
    assert alert["record"]["state"] == "cleared"
    code, page = history.uns("audit", alert["id"])
    assert code == 0
    assert "kind=breakdown" in page
    cause = history.audit(alert["record"]["cause"])
    assert (cause["record"]["state"], cause["record"]["category"]) == ("aborted", "breakdown")
    assert [one["us"] for one in cause["inputs"]["elements"]] == [6 * MINUTE]


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (("line-1/filler", "line-1/fillr"), "did you mean"),
        (("T060000", "T063000"), "nearest: "),
        (("~nakajima@1", "~nakajima@1:99"), "no revision 99; there are 0, 1, "),
        (("oee.hour", "oe.hour"), "did you mean 'oee'?"),
        (("dallas", "dalas"), "there is no topic"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(history: History, change: tuple[str, str], hint: str) -> None:
    code, words = history.uns("audit", history.hour.replace(*change))
    assert code == 1
    assert hint in words


def test_a_roll_up_lists_its_parts(history: History) -> None:
    hour = history.newest("kpi.hour", T0, "corrected")
    assert isinstance(hour, Kpi)
    line = history.cell.rpartition("/")[0]
    whole = f"{line}#{hour.id.partition('#')[2]}".rpartition(":")[0]
    parts = (hour.path, f"{line}/capper")
    made = msgspec.structs.replace(hour, id=f"{whole}:0", revision=0, path=line, parts=parts, rule="bottleneck: filler")
    history.producer.produce(topic(history.area, MessageClass.KPI), history.codec.encode(made), line, 0)
    assert history.producer.flush(30) == 0
    found = history.audit(whole, "--deep")
    filler, capper = found["parts"]
    assert filler["audit"]["inputs"]["agrees"]
    assert filler["audit"]["record"]["element_us"] == hour.element_us
    assert "no hour under nakajima@1" in capper["why"]
    code, page = history.uns("audit", whole)
    assert code == 0
    assert f"{hour.natural_id}:" in page


def test_a_line_s_own_record_leads_to_its_machines_samples(history: History) -> None:
    hour = history.newest("kpi.hour", T0, "corrected")
    assert isinstance(hour, Kpi)
    line = history.cell.rpartition("/")[0]
    whole = natural_id(line, "kpi.bottleneck.hour", T0, "nakajima@1")
    same = {
        name: getattr(hour, name) for name in ("started_at", "ended_at", "definition", "status", "inputs", "window")
    }
    nothing: dict[str, Any] = dict.fromkeys(("window_name", "bottleneck", "turning_point", "agrees"))
    made = Bottleneck(id=f"{whole}:0", path=line, revision=0, cells=(), **same, **nothing)
    history.producer.produce(topic(history.area, MessageClass.BOTTLENECK), history.codec.encode(made), line, 0)
    assert history.producer.flush(30) == 0
    found = history.audit(whole, "--raw", "1000")
    assert "inputs" not in found
    assert {one["path"] for one in found["raw"]["listed"]} == {line, history.cell}
    assert {one["type"] for one in found["raw"]["listed"]} == {"Samples", "Shift", "Order", "Reason"}
    assert not found["revisions"][0]["cause"]["exact"]  # whoever wrote it did not say


def test_the_difference_between_two_definitions(history: History) -> None:
    arguments = ("kpi", "diff", "iso22400", "nakajima", f"{history.enterprise}/#", "--from", iso(T0))
    code, text = history.uns(*arguments, "--to", iso(T0 + HOUR), "--window", "hour", "--json")
    assert code == 0, text
    found = json.loads(text)
    assert (found["a"]["definition"], found["b"]["definition"]) == ("iso22400@2", "nakajima@1")
    (row,) = found["rows"]
    (stop,) = row["stops"]
    assert (stop["what"], stop["us"], stop["class_a"], stop["class_b"]) == (
        "cleaning",
        20 * MINUTE,
        "availability",
        "outside",
    )
    assert row["explained_by_stops_us"] == row["difference_us"]
    assert not any(row["rest_us"].values())
    assert row["kpis"]["availability"] == {"a": pytest.approx(2 / 3), "b": 1.0, "points": pytest.approx(100 / 3)}
    code, page = history.uns(*arguments)
    assert code == 0
    assert "cleaning" in page
    assert history.uns(*arguments, "--window", "week")[0] == 1
    assert "is not known" in history.uns("kpi", "diff", "iso", "nakajima", "#")[1]


def test_a_stop_that_was_taken_back(history: History) -> None:
    """Late in this file: it changes what was planned."""
    at = T0 + 90 * MINUTE
    stop = history.audit(history.cell, "downtime", iso(at))["natural_id"]
    pause = Break(T0 + 85 * MINUTE, T0 + 100 * MINUTE)
    shift = Shift(id="early", name="early", started_at=T0 - HOUR, ended_at=T0 + 7 * HOUR, breaks=(pause,))
    history.tell([(LINE, shift)])
    until(lambda: history.newest("downtime", at, "corrected"), 60, history.said)
    found = history.audit(stop)
    assert found["record"]["ended_at"] == found["record"]["started_at"]
    last = found["revisions"][-1]
    assert last["changed"]["ended_at"] == [iso(at + 6 * MINUTE), iso(at)]
    (told,) = last["cause"]["facts"]
    assert (told["type"], told["breaks"][0]["started_at"]) == ("Shift", iso(pause.started_at))
    assert [(one["us"], one["planned"], one["element"]) for one in found["inputs"]["pieces"]] == [
        (6 * MINUTE, "break", "PLANNED")
    ]
    assert [one["id"] for one in found["inputs"]["replaced"]] == ["early"]
    code, page = history.uns("audit", stop)
    assert code == 0
    assert "taken back" in page


def test_what_retention_has_removed_is_said(history: History) -> None:
    """Last: it removes records."""
    first = history.audit(history.hour)["record"]["inputs"]["first_offset"]
    admin = AdminClient(history.settings.kafka())
    gone = {topic(history.area, MessageClass.RAW): first + 1, topic(history.area, MessageClass.OEE): 2}
    for future in admin.delete_records([TopicPartition(name, 0, offset) for name, offset in gone.items()]).values():
        future.result()
    found = history.audit(history.hour)
    assert any(f"raw offsets {first}–{first} are gone by retention" in note for note in found["notes"])
    assert found["inputs"]["agrees"]  # published states still say it
    code, words = history.uns("audit", history.hour.replace("T060000", "T010000"))
    assert code == 1
    assert "retention has removed the first 2 offsets" in words
    code, text = history.uns("audit", history.hour, "--verify", "--json")
    assert code == 1  # nobody can say
    assert "retention has removed raw offsets below" in json.loads(text)["revisions"][-1]["verified"]
