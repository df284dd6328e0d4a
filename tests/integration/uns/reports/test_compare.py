"""`uns kpi compare` and `uns pilot report` as a user types them, on records in real Kafka."""

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

import uns.cli.compare
import uns.cli.pilot  # registers the commands
from schemas.codec import Codec
from schemas.records import Derived, Kpi, Lot, Order, Pilot, Production, Record
from tests.harness import consume_all
from tests.harness.kpi_windows import DAY, HOUR, LINE, T0, kpi, shifts
from tests.unit.processors.analysis.test_supply import made
from topology.model.loader import load
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.cli.app import UserError, app
from uns.model.apply import apply_plant
from uns.registry.client import RegistryClient
from uns.runtime.settings import Settings, settings

assert uns.cli.compare
assert uns.cli.pilot

PLANT = """\
namespace:
  enterprise: {enterprise}
  sites: {{dallas: {{areas: {{packaging: {{lines: {{line-1: {{cells: {{filler: filler}}}}}}}}}}}}}}
types: {{filler: {{ideal_cycle_s: 6, tags: {{}}}}}}
"""


class Site:
    """An area of its own in the session's Kafka, and the command line beside it."""

    def __init__(self, kafka: str, registry: str, enterprise: str, folder: Path) -> None:
        self.enterprise, self.folder = enterprise, folder / "plant"
        self.folder.mkdir()
        self.model = self.folder / "plant.yaml"
        self.model.write_text(PLANT.format(enterprise=enterprise))
        self.settings = Settings(bootstrap=kafka, registry=registry, state_dir=folder / "state", plant=self.folder)
        apply_plant(load(self.folder, {}), self.settings)
        self.codec: Codec = RegistryClient(registry, folder / "schemas").codec()
        self.producer = Producer(self.settings.kafka(**{"enable.idempotence": True}))
        self.line = f"{enterprise}/dallas/packaging/line-1"

    def tell(self, told: Iterable[tuple[str, MessageClass, Record]]) -> None:
        """Writes records as others would; Kafka's time is now, as it is for all that is told late."""
        for path, message_class, record in told:
            place = path.replace("acme", self.enterprise, 1)
            if isinstance(record, Kpi | Production):
                record = msgspec.structs.replace(record, path=place, id=record.id.replace("acme", self.enterprise, 1))
            # As the folds do; a lot, and what a shift called late did, as somebody else might, without headers.
            late = isinstance(record, Kpi) and "late" in (record.window_name or "")
            headers = [("ce_id", record.id.encode())] if isinstance(record, Derived) and not late else []
            name = topic(Place.parse(place), message_class)
            self.producer.produce(name, self.codec.encode(record), place.encode(), 0, headers=headers)
        assert self.producer.flush(30) == 0

    def kpis(self, records: Iterable[Kpi]) -> None:
        self.tell((record.path, MessageClass.KPI, record) for record in records)

    def run(self, *words: str) -> str:
        found = CliRunner().invoke(app, list(words), catch_exceptions=True)
        if isinstance(found.exception, UserError):
            return f"refused: {found.exception}"
        assert found.exception is None, found.exception
        return found.stdout


@pytest.fixture
def site(kafka: str, registry: str, enterprise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    found = Site(kafka, registry, enterprise, tmp_path)
    for name, value in (("BOOTSTRAP", kafka), ("REGISTRY", registry), ("STATE_DIR", str(tmp_path / "state"))):
        monkeypatch.setenv(f"UNS_{name}", value)
    monkeypatch.setenv("UNS_PLANT", str(found.folder))
    settings.cache_clear()
    yield found
    settings.cache_clear()


SPAN = ("--from", "2026-10-29T00:00:00Z", "--to", "2026-11-20T00:00:00Z")


def test_compare(site: Site) -> None:
    early, late = shifts("early", 10, 0.95, 1), shifts("late", 10, 0.85, 2)
    wrong = [msgspec.structs.replace(record, pieces=()) for record in early]
    right = [msgspec.structs.replace(record, id=record.id[:-1] + "1", revision=1) for record in early]
    site.kpis([*wrong, *right, *late, kpi(T0, path=f"{LINE}/filler", name="2026-10-29-early")])
    found = json.loads(site.run("kpi", "compare", "quality", f"{site.enterprise}/#", "--by", "shift", *SPAN, "--json"))
    assert [(group["group"], group["windows"]) for group in found["groups"]] == [("early", 10), ("late", 10)]
    assert found["definition"] == "iso22400@2", "the only one there, though the plant's is another"
    (pair,) = found["differences"]
    assert pair["verdict"] == "more than noise"
    assert pair["low"] < -10 < pair["high"]
    shown = site.run("kpi", "compare", "quality", f"{site.enterprise}/#", "--by", "shift", *SPAN)
    assert "early → late: -" in shown
    assert "more than noise" in shown
    assert "jackknife" in shown

    told = [
        (LINE, MessageClass.RAW, Lot(id=f"{n}", material="cap", supplier="ns"[n % 2], started_at=T0 + n * 600_000_000))
        for n in range(12)
    ]
    buckets = [
        (record.path, MessageClass.PRODUCTION, record) for record in (made(n, 90 + n % 2, 10) for n in range(120))
    ]
    site.tell([*told, *buckets])
    by_supplier = ("kpi", "compare", "scrap_ratio", f"{site.line}/filler", "--by", "supplier", *SPAN)
    found = json.loads(site.run(*by_supplier, "--definition", "iso22400@2", "--json"))
    assert [(group["group"], group["windows"]) for group in found["groups"]] == [("n", 6), ("s", 6)]

    for words, problem in (
        (("oee", "--by", "supplier", "--definition", "iso22400@2"), "no window is cut where a lot changes"),
        (("ooe2", "--by", "shift"), "has no KPI 'ooe2'"),
        (("quality", "--by", "moon"), "--by moon: there are shift, line"),
        (("quality", "--by", "product"), "no closed product windows lie in that time"),
        (("quality", "--by", "shift", "--level", "area"), "those that match are of: cell, line"),
        (("quality", "--by", "shift", "--definition", "vdi3423@1"), "not compared"),
    ):
        assert problem in site.run("kpi", "compare", words[0], f"{site.enterprise}/#", *words[1:], *SPAN)
    outside = site.run("kpi", "compare", "oee", "nobody/#", "--by", "shift", *SPAN)
    assert outside.startswith("refused: no topic for nobody/#")


PILOT = """\
pilot:
  smed:
    filter: {enterprise}/dallas/packaging/line-1
    definition: iso22400@2
    baseline: {{from: 2026-10-29, to: 2026-11-08}}
    since: 2026-11-10
    until: 2026-11-20
    targets:
      - {{measure: scrap, change: "-50 %"}}
      - {{measure: throughput, change: "+2 %"}}
      - {{measure: schedule_adherence, value: 0.9}}
      - {{measure: changeover, change: "-20 %"}}
"""


@pytest.mark.long
def test_pilot(site: Site) -> None:
    site.model.write_text(PLANT.format(enterprise=site.enterprise) + PILOT.format(enterprise=site.enterprise))
    chance = random.Random(1)

    def day(number: int, ratio: float) -> Kpi:
        scrap = round(1000 * chance.gauss(ratio, 0.003))
        return kpi(T0 + number * DAY, DAY, window="day", good=1000 - scrap, scrap=scrap, apt_h=16, adet_h=4)

    def order(number: int, good: int) -> Kpi:
        at = T0 + number * DAY
        return kpi(at, HOUR, window="order", name=f"o{number}", order=f"o{number}", good=good, apt_h=1, adet_h=0)

    def fact(number: int) -> Order:
        at = T0 + number * DAY
        return Order(id=f"o{number}", product="cola", started_at=at, ended_at=at + HOUR, planned_quantity=100)

    spans = [*range(10), *range(12, 22)]
    site.kpis([day(number, 0.04 if number < 10 else 0.01) for number in spans])
    site.kpis([order(number, 100 if number > 9 or number % 2 else 99) for number in spans])
    site.tell([(LINE, MessageClass.RAW, fact(number)) for number in spans])

    (found,) = json.loads(site.run("pilot", "report", "smed", "--json"))
    told = {target["name"]: target for target in found["targets"]}
    assert found["definition"] == "iso22400@2"
    assert [told["scrap"][side]["windows"] for side in ("baseline", "since")] == [10, 10]
    assert told["scrap"]["verdict"] == "reached"
    assert told["scrap"]["relative"]["value"] == pytest.approx(-0.75, abs=0.1)
    assert told["throughput"]["verdict"] == "reached"
    assert told["schedule_adherence"]["baseline"]["value"] == 0.5
    assert told["schedule_adherence"]["since"]["value"] == 1.0
    assert told["changeover"]["verdict"] == "cannot tell"
    assert "changeover: nothing to measure it by in the baseline time" in found["warnings"]

    site.model.write_text(site.model.read_text() + "retention: {derived_h: 24}\n")
    (short,) = json.loads(site.run("pilot", "report", "smed", "--json"))
    assert any("retention.derived_h 24" in words for words in short["warnings"])

    site.model.write_text(site.model.read_text().replace("{derived_h: 24}", "{derived_h: null}"))
    first = site.run("pilot", "report", "--publish", "--day", "2026-11-19")
    assert "reached" in first
    assert "~iso22400@2:0 (final)" in first
    assert "smed: nothing new to publish" in site.run("pilot", "report", "--publish", "--day", "2026-11-19")
    corrected = msgspec.structs.replace(day(12, 0.02), status="corrected", revision=1)
    site.kpis([msgspec.structs.replace(corrected, id=corrected.id[:-1] + "1")])
    assert "~iso22400@2:1 (corrected)" in site.run("pilot", "report", "--publish", "--day", "2026-11-19")
    assert "~iso22400@2:0 (final)" in site.run("pilot", "report", "--publish", "--day", "2026-11-18"), "another day"
    where = topic(Place.parse(site.line), MessageClass.PILOT)
    told_kafka = [site.codec.decode(record.value()) for record in consume_all(site.settings.bootstrap or "", [where])]
    reports = [record for record in told_kafka if isinstance(record, Pilot)]
    assert [(record.revision, record.status) for record in reports] == [(0, "final"), (1, "corrected"), (0, "final")]
    assert len({record.natural_id for record in reports}) == 2
    audited = json.loads(site.run("audit", reports[0].natural_id, "--json"))
    assert (audited["class"], [one["revision"] for one in audited["revisions"]]) == ("pilot", [0, 1])
    assert any("the Kpi records of" in note for note in audited["notes"])
    assert "no replay says a pilot" in site.run("audit", reports[0].natural_id, "--verify")

    site.kpis([kpi(T0 + 9 * DAY + HOUR, HOUR, window="day", apt_h=0, adet_h=0, definition="iso22400@1")])
    refused = site.run("pilot", "report")
    assert "1 windows by iso22400@1, 20 windows by iso22400@2 of 21: numbers of different definitions" in refused
    assert "uns replay FILTER --from … --to … --definition iso22400@2 --publish" in refused
    assert "refused: pilot 'x' is not in the plant model; there are smed" in site.run("pilot", "report", "x")
