"""A plant model that changes under a runner: swapped between two batches, opened anew where it must be, refused when wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.base import Batch, Reading, Resume, SourceUnavailable
from schemas.codec import Codec
from schemas.records import TYPES, Gap, Sample, Samples
from tests.harness.line_logs import CELL
from topology.model.plant import Plant
from topology.namespace.path import Path as Place
from uns.model.plant import load_plant
from uns.runners.connector import reloading as watching
from uns.runners.connector import runner as module
from uns.runners.connector import source
from uns.runners.connector.freshness import Freshness
from uns.runners.connector.outlet import Outlet
from uns.runners.connector.packing import Packer
from uns.runners.connector.reloading import Reloading
from uns.runners.connector.runner import ConnectorRunner
from uns.runners.connector.source import Setup
from uns.runners.connector.spool import Spool
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings
from uns.testing.patience import patient

CODEC = Codec({name: number for number, name in enumerate(TYPES, 1)})
MODBUS = {"links": [{"url": "tcp://127.0.0.1:502", "devices": [{"path": CELL, "tags": {"N": {"address": 1}}}]}]}
"""Only looked at: the connector is another one."""


class Numbers:
    """Says 1, 2, 3, … of one tag, without a pause, and goes on where it was safe."""

    made: list["Numbers"]

    def __init__(self, away: bool = False) -> None:
        self.away, self.opened, self.closed, self.next = away, False, False, 1

    async def open(self, resume: Resume) -> None:
        if self.away:
            raise SourceUnavailable("numbers are away")
        safe = resume.get((Place.parse(CELL), "N"))
        self.opened, self.next = True, 1 if safe is None else safe.at + 1

    async def batches(self) -> AsyncIterator[Batch]:
        while True:
            first, self.next = self.next, self.next + 3
            yield Batch(tuple(Reading(Place.parse(CELL), Sample("N", n, n)) for n in range(first, self.next)))
            await asyncio.sleep(0)

    async def close(self) -> None:
        self.closed = True

    def healthy(self) -> bool:
        return self.opened

    def problems(self) -> Sequence[str]:
        return ()


class World:
    """A plant folder, its runner without a Kafka, and what watches the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made, self.away = folder / "plant", list[Numbers](), False
        self.folder.mkdir()
        self.write()
        self.spool = Spool(folder / "spool", 10**9)
        plant = load_plant(self.folder)
        self.runner = ConnectorRunner("plc", self.setup(plant), self.spool)
        self.runner.attach(Outlet(Settings(bootstrap=f"127.0.0.1:{free_port()}"), self.spool, lambda: None))
        self.reloading = Reloading(self.folder, plant, self.runner, self.setup)

    def write(self, config: dict[str, Any] = MODBUS, partitions: int = 1, name: str = "plc", **entry: Any) -> None:
        lines = {"line-1": {"cells": {"filler": "f"}}}
        model = {
            "namespace": {
                "enterprise": "acme",
                "sites": {"dallas": {"areas": {"packaging": {"partitions": partitions, "lines": lines}}}},
            },
            "types": {"f": {"tags": {"State": {"role": "state", "map": "packml"}}, "ideal_cycle_s": 6.0}},
            "connectors": {name: {"protocol": "modbus", "config": config, **entry}},
        }
        (self.folder / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")

    def setup(self, plant: Plant) -> Setup:
        entry = plant.connectors["plc"]

        def build() -> Numbers:
            self.made.append(Numbers(self.away))
            return self.made[-1]

        packer = Packer("plc", plant, CODEC, entry, self.spool.next_sequence)
        return Setup(entry, build, packer, Freshness(entry, plant))

    def records(self) -> list[Any]:
        return [CODEC.decode(row.entry.value) for row in self.spool.read(0, 10**6)]

    def samples(self) -> list[Sample]:
        return [sample for record in self.records() if isinstance(record, Samples) for sample in record.samples]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FLUSH_S", 0.05), ("SETTLE_S", 0.05)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(watching, "LOOK_S", 0.02)
    monkeypatch.setattr(source, "BACKOFF_S", (5.0, 5.0))


def beside(folder: Path, check: Callable[[World], Awaitable[None]], away: bool = False) -> World:
    async def go() -> World:
        world = World(folder)
        if away:
            world.made[0].away = world.away = True
        tasks = [asyncio.create_task(world.runner.run()), asyncio.create_task(world.reloading.run())]
        try:
            async with asyncio.timeout(patient(20)):
                await check(world)
        finally:
            said = world.samples(), world.records()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        world.samples, world.records = (lambda: said[0]), (lambda: said[1])  # type: ignore[method-assign]
        return world

    return asyncio.run(go())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 (conditions of several kinds)
        await asyncio.sleep(0.005)


@pytest.mark.long
def test_rules_are_swapped_under_full_flow_and_each_value_is_there_once_by_one_of_them(tmp_path: Path) -> None:
    async def check(world: World) -> None:
        for number in range(1, 21):
            read = world.spool.ledger().read
            await until(lambda read=read: world.spool.ledger().read > read)  # type: ignore[misc]
            world.write(tags=[{"tag": "N", "name": f"N{number}"}], suppress={"deadband": {f"N{number}": 0.5}})
            await until(lambda number=number: world.runner.reloads == number)  # type: ignore[misc]
            await until(lambda number=number: any(s.tag == f"N{number}" for s in world.samples()[-50:]))  # type: ignore[misc]
        assert [numbers.opened for numbers in world.made] == [True], "the source was not touched"

    world = beside(tmp_path, check)
    samples = world.samples()
    assert [sample.value for sample in samples] == list(range(1, len(samples) + 1)), "each once, in order"
    assert list(dict.fromkeys(s.tag for s in samples)) == ["N", *(f"N{n}" for n in range(1, 21))]


def test_what_is_held_back_is_let_out_and_what_derived_tags_rest_on_is_kept(tmp_path: Path) -> None:
    derived = [{"tag": "Twice", "formula": "A + B"}]

    async def check(world: World) -> None:
        place, packer = Place.parse(CELL), world.setup(load_plant(world.folder)).packer
        world.write(tags=[{"tag": "A", "every_s": 60}], derived=derived)
        first = world.setup(load_plant(world.folder)).packer
        first.pack([Batch(tuple(Reading(place, Sample(tag, 1, 1)) for tag in ("A", "B")))], 1)
        held = first.pack([Batch((Reading(place, Sample("A", 2, 5)),))], 2)
        assert (held.entries, first.holds) == ([], 1)
        assert first.due(None).read == 2, "it, and what is worked out from it"
        packer = world.setup(load_plant(world.folder)).packer
        packer.goes_on_from(first)
        packed = packer.pack([Batch((Reading(place, Sample("B", 3, 7)),))], 3)
        record = CODEC.decode(packed.entries[0].value)
        assert isinstance(record, Samples)
        assert [(s.tag, s.value) for s in record.samples] == [("B", 7), ("Twice", 12)]

    beside(tmp_path, check)


def test_another_address_opens_the_source_anew_where_it_was(tmp_path: Path) -> None:
    async def check(world: World) -> None:
        for number in range(1, 6):
            await until(lambda number=number: len(world.made) == number and world.spool.ledger().read > number * 20)  # type: ignore[misc]
            url = f"tcp://127.0.0.1:{600 + number}"
            world.write({"links": [{**MODBUS["links"][0], "url": url}]}, stale_after_s=number)
            await until(lambda number=number: len(world.made) == number + 1)  # type: ignore[misc]
            await until(lambda: world.made[-1].opened)
        assert [numbers.closed for numbers in world.made] == [True] * 5 + [False]
        assert world.runner.source.reopened == 0, "that is for sources that were lost"

    world = beside(tmp_path, check)
    values = [sample.value for sample in world.samples()]
    assert values == list(range(1, len(values) + 1)), "each once, in order"
    gaps = [record for record in world.records() if isinstance(record, Gap)]
    assert {gap.cause for gap in gaps} <= {"connector_down"}


def test_it_is_opened_anew_at_once_where_it_is_away(tmp_path: Path) -> None:
    async def check(world: World) -> None:
        await until(lambda: "numbers are away" in world.runner.problems())
        world.away = False
        world.write({"links": [{**MODBUS["links"][0], "url": "tcp://127.0.0.1:700"}]})
        await until(lambda: world.made[-1].opened)  # the back-off is 5 s
        assert len(world.made) == 2

    beside(tmp_path, check, away=True)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda world: (world.folder / "plant.yaml").write_text("namespace: [", encoding="utf-8"), "plant.yaml"),
        (lambda world: world.write({"links": []}), "links"),
        (lambda world: world.write(name="other"), "no connector 'plc'"),
        (lambda world: world.write(partitions=3), "partitions of acme/dallas/packaging"),
        (lambda world: world.write(tags=[{"tag": "N", "scale": 0}]), "scale 0"),
    ],
    ids=["no yaml", "no config", "gone", "partitions", "rules"],
)
def test_a_wrong_model_is_refused_and_the_one_before_goes_on(
    tmp_path: Path, spoil: Callable[[World], object], words: str
) -> None:
    async def check(world: World) -> None:
        await until(lambda: world.spool.ledger().read)
        spoil(world)
        await until(lambda: any("is refused" in reason for reason in world.runner.problems()))
        (why,) = [reason for reason in world.runner.problems() if "is refused" in reason]
        assert words in why
        read = world.spool.ledger().read
        await until(lambda: world.spool.ledger().read > read + 50)
        assert (world.runner.reloads, len(world.made)) == (0, 1)
        world.write(stale_after_s=9)
        await until(lambda: world.runner.reloads == 1)
        assert not any("refused" in reason for reason in world.runner.problems())

    world = beside(tmp_path, check)
    values = [sample.value for sample in world.samples()]
    assert values == list(range(1, len(values) + 1))


def test_asking_reads_it_at_once_and_what_is_the_same_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_S", 3600.0)

    async def check(world: World) -> None:
        await until(lambda: world.spool.ledger().read)
        world.write()
        world.reloading.ask()
        world.write(stale_after_s=5)
        world.reloading.ask()
        await until(lambda: world.runner.reloads == 1)
        assert len(world.made) == 1

    beside(tmp_path, check)
