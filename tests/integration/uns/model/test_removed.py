"""A machine that left the plant model, on real Kafka: planned, asked, gone from snapshots and sinks' view, history kept."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from confluent_kafka import Producer

from schemas.records import Current, Derived
from sinks.base import Delivery, Removed
from tests.harness import consume_all, eventually
from tests.harness.places import model
from tests.unit.uns.web.test_board import T0, current, state
from topology.cluster import Kind
from topology.model.plant import Plant
from topology.model.wiring import Subscribe
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import partition, topic
from uns.cli.app import main
from uns.model.apply import Applier, apply_plant
from uns.registry.client import RegistryClient
from uns.runners.sink.source import SinkSource
from uns.runtime.settings import Settings
from uns.runtime.settings import settings as process_settings


def document(enterprise: str, *cells: str) -> dict[str, Any]:
    found = model()
    found["namespace"]["enterprise"] = enterprise
    found["namespace"]["sites"]["dallas"]["areas"]["packaging"]["lines"]["line-1"]["cells"] = dict.fromkeys(
        cells, "filler"
    )
    return found


def of(record: Derived, path: str) -> Derived:
    return msgspec.structs.replace(record, path=path)


class Area:
    """An enterprise's dallas/packaging with two machines, of which one leaves the model."""

    def __init__(self, kafka: str, registry: str, enterprise: str, folder: Path) -> None:
        self.kafka, self.enterprise = kafka, enterprise
        self.settings = Settings(bootstrap=kafka, registry=registry, state_dir=folder / "state")
        self.line = f"{enterprise}/dallas/packaging/line-1"
        self.before = Plant.model_validate(document(enterprise, "filler", "capper"))
        self.after = Plant.model_validate(document(enterprise, "filler"))
        apply_plant(self.before, self.settings)
        self.codec = RegistryClient(registry, folder / "schemas").codec()
        self.producer = Producer({"bootstrap.servers": kafka})

    def say(self, cell: str, record: Derived) -> None:
        path = f"{self.line}/{cell}"
        self.put(MessageClass(record.message_class), path.encode(), self.codec.encode(of(record, path)))

    def put(self, message_class: MessageClass, key: bytes, value: bytes | None) -> None:
        line = Place.parse(self.line)
        self.producer.produce(topic(line, message_class), value, key, partition(line, 2))
        assert self.producer.flush(20) == 0

    def removals(self, plant: Plant) -> list[str]:
        return [step.name for step in Applier(self.settings, plant).plan() if step.kind is Kind.REMOVE_PATH]


@pytest.fixture
def area(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> Area:
    return Area(kafka, registry, enterprise, tmp_path)


def test_what_left_the_model_is_removed_once_and_nothing_else_is_touched(area: Area) -> None:
    for cell in ("filler", "capper"):
        area.say(cell, current(T0))
        area.say(cell, state(T0, None))
    area.put(MessageClass.CURRENT, b"No Path", b"a stranger's")
    area.put(MessageClass.CURRENT, b"other/site/area/line/cell", b"a stranger's, too")
    capper = f"{area.line}/capper"
    assert area.removals(area.before) == []
    assert area.removals(area.after) == [capper]
    assert apply_plant(area.after, area.settings) == 1
    assert area.removals(area.after) == []
    assert apply_plant(area.after, area.settings) == 0
    found = consume_all(area.kafka, [topic(Place.parse(area.line), MessageClass.CURRENT)])
    assert [(m.key(), m.partition()) for m in found if m.value() is None] == [
        (capper.encode(), partition(Place.parse(area.line), 2))
    ]
    assert len(consume_all(area.kafka, [topic(Place.parse(area.line), MessageClass.STATE)])) == 2, "history stays"


def test_processors_of_an_older_model_say_it_anew_and_the_next_apply_shows_it(area: Area) -> None:
    area.say("capper", current(T0))
    apply_plant(area.after, area.settings)
    area.say("capper", current(T0 + 1))
    assert area.removals(area.after) == [f"{area.line}/capper"]
    assert apply_plant(area.after, area.settings) == 1
    assert area.removals(area.after) == []


def test_an_area_that_left_the_model_goes_with_its_machines(area: Area) -> None:
    area.say("filler", current(T0))
    left = document(area.enterprise, "filler")
    del left["namespace"]["sites"]["dallas"]["areas"]["packaging"]
    assert area.removals(Plant.model_validate(left)) == [f"{area.line}/filler"]


@pytest.mark.parametrize("classes", [(MessageClass.CURRENT,), (MessageClass.OEE,)])
def test_a_sink_is_told_in_order_if_it_wants_to_be(area: Area, classes: tuple[MessageClass, ...]) -> None:
    area.say("capper", current(T0))
    apply_plant(area.after, area.settings)
    area.say("capper", current(T0 + 1))
    capper = f"{area.line}/capper"

    def read(takes_removals: bool) -> tuple[list[Delivery], int]:
        name = f"{area.enterprise}-{takes_removals}"
        subscribe = Subscribe(filter=f"{area.enterprise}/#", classes=classes)
        source = SinkSource(area.settings, area.after, subscribe, name, name, area.codec, takes_removals)
        deliveries: list[Delivery] = []
        passed_over = 0

        def level() -> bool:
            nonlocal passed_over
            fetched = source.poll(100, 0.2)
            deliveries.extend(each.delivery for each in fetched.waiting)
            passed_over += fetched.passed_over
            assert fetched.unreadable == []
            stands = source.idle_positions()
            return sum(stands.values()) >= (3 if takes_removals or MessageClass.CURRENT in classes else 0)

        source.open(None)
        try:
            eventually(lambda: level() and bool(source.assigned), 40, "all is read", every_s=0)
        finally:
            source.close()
        return deliveries, passed_over

    told, passed_over = read(True)
    kinds = [type(each.record) for each in told]
    assert kinds == ([Current, Removed, Current] if MessageClass.CURRENT in classes else [Removed])
    (removed,) = [each for each in told if isinstance(each.record, Removed)]
    assert (removed.key, removed.record.path, removed.record.withdrawn) == (capper, capper, True)  # type: ignore[union-attr]
    assert passed_over == 0
    told, passed_over = read(False)
    expected = [Current, Current] if MessageClass.CURRENT in classes else []
    assert ([type(each.record) for each in told], passed_over) == (expected, len(expected) // 2)


def test_the_commands_show_it_and_ask(
    area: Area, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for cell in ("filler", "capper"):
        area.say(cell, current(T0))
    (tmp_path / "plant.yaml").write_text(yaml.safe_dump(document(area.enterprise, "filler")), encoding="utf-8")
    monkeypatch.setenv("UNS_BOOTSTRAP", str(area.settings.bootstrap))
    monkeypatch.setenv("UNS_REGISTRY", str(area.settings.registry))
    monkeypatch.setenv("UNS_PLANT", str(tmp_path))
    monkeypatch.setenv("UNS_STATE_DIR", str(tmp_path / "state"))
    process_settings.cache_clear()

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["uns", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    everything = f"{area.enterprise}/#"
    try:
        code, out = run("apply", str(tmp_path), "--dry-run")
        assert (code, f"  - remove path {area.line}/capper: " in out) == (0, True)
        monkeypatch.setattr("typer.confirm", lambda question: False)
        assert run("apply", str(tmp_path))[0] == 1
        assert "capper" in run("tree", everything)[1]
        assert run("apply", str(tmp_path), "--yes")[0] == 0
        shown = run("tree", everything)[1]
        assert ("filler" in shown, "capper" in shown) == (True, False)
        assert run("get", f"{area.line}/capper")[0] == 1
        said = run("tail", everything, "-c", "current", "--from", "beginning", "--no-follow")[1]
        assert f"current    {area.line}/capper" in said.splitlines()[-1]
        assert said.splitlines()[-1].endswith("removed from the plant")
        tailed = run("tail", everything, "-c", "current", "--from", "beginning", "--no-follow", "--json")[1]
        last = json.loads(tailed.splitlines()[-1])
        assert (last["path"], last["removed"]) == (f"{area.line}/capper", True)
    finally:
        process_settings.cache_clear()
