"""Every registered connector, stopped again and again under full flow between its real source and Kafka: as SIGTERM stops it."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

import tests.contract.test_connectors as contract
from schemas.codec import Codec
from schemas.records import TYPES, Samples
from tests.contract.sources import PATH
from tests.harness import consume_all, eventually
from tests.harness.line_logs import plant
from topology.model.wiring import ConnectorEntry
from topology.namespace.classes import MessageClass
from topology.namespace.topics import topic
from uns.model.apply import apply_plant
from uns.model.components import CONNECTORS, connector_spec, names
from uns.runners.connector.freshness import Freshness
from uns.runners.connector.ledger import Ledger
from uns.runners.connector.outlet import Outlet
from uns.runners.connector.packing import Packer
from uns.runners.connector.runner import ConnectorRunner
from uns.runners.connector.source import Setup
from uns.runners.connector.spool import Spool
from uns.runtime.settings import Settings
from uns.testing import ConnectorContract, Source
from uns.testing.patience import patient
from uns.testing.source import T0

STOPS = 50
AHEAD = 40
"""Values that a source has said and nobody has read yet, always so many."""
STOP_S = 8.0
"""A stop takes less: an orchestrator waits 10 s before it kills."""
PLANT, CODEC = plant(), Codec({name: number for number, name in enumerate(TYPES, 1)})
SUITES = {
    suite.protocol: suite
    for suite in vars(contract).values()
    if isinstance(suite, type) and issubclass(suite, ConnectorContract) and suite is not ConnectorContract
}


class Talker:
    """Makes a source say 1, 2, 3, … of `State`, always some more than is read: more would wait somewhere for minutes."""

    def __init__(self, source: Source) -> None:
        self._source, self.said, self.read = source, 0, 0

    async def talk(self) -> None:
        while True:
            await asyncio.sleep(0.0005)
            if self.said < self.read + AHEAD:
                await self._source.say("State", T0 + self.said * 1000, self.said + 1)
                self.said += 1


class Run:
    """A runner of one protocol, from its start to its stop."""

    def __init__(self, protocol: str, source: Source, settings: Settings) -> None:
        spec = connector_spec(protocol)
        config = spec.config.model_validate(source.config)
        entry = ConnectorEntry(protocol=protocol, config=source.config)
        name = f"stops-{protocol}"
        self.spool = Spool(settings.state_dir / name, 100_000_000)
        packer = Packer(name, PLANT, CODEC, entry, self.spool.next_sequence)
        self.runner = ConnectorRunner(
            name, Setup(entry, lambda: spec.build(name, config), packer, Freshness(entry, PLANT)), self.spool
        )
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self.runner.wake)

        self.runner.attach(Outlet(settings, self.spool, wake, self.runner.split))
        self._task = asyncio.create_task(self.runner.run())

    async def up(self) -> None:
        async with asyncio.timeout(patient(30)):
            while not self.runner.source.up():  # noqa: ASYNC110 (a condition of the runner)
                await asyncio.sleep(0.002)

    async def until(self, read: int, talker: Talker) -> None:
        async with asyncio.timeout(patient(30)):
            while (now := self.spool.ledger().read) < read:
                assert not self._task.done(), self._task
                talker.read = now
                await asyncio.sleep(0.002)

    async def stop(self) -> Ledger:
        self._task.cancel()
        async with asyncio.timeout(patient(STOP_S)):
            with suppress(asyncio.CancelledError):
                await self._task
        assert not self.runner.source.up()
        return self.spool.ledger()


@pytest.mark.long
@pytest.mark.parametrize("protocol", sorted(names(CONNECTORS)))
def test_it_stops_under_full_flow_and_loses_nothing(
    protocol: str, request: pytest.FixtureRequest, kafka: str, tmp_path: Path
) -> None:
    settings = Settings(bootstrap=kafka, state_dir=tmp_path / "state")
    apply_plant(PLANT, settings.model_copy(update={"registry": request.getfixturevalue("registry")}))
    chance = random.Random(protocol)

    async def go() -> tuple[int, Ledger]:
        async with SUITES[protocol].source(request) as source:
            talker, read = Talker(source), 0
            run = Run(protocol, source, settings)
            await run.up()  # what is said to a broker before anybody has subscribed is for nobody
            talking = asyncio.create_task(talker.talk())
            for _ in range(STOPS):
                await run.until(read + chance.randrange(1, AHEAD // 2), talker)
                ledger = await run.stop()
                assert ledger.lost == 0
                read, run = ledger.read, Run(protocol, source, settings)
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
            if source.asks_again:
                wanted = set(range(1, talker.said + 1))
                await asyncio.to_thread(
                    eventually, lambda: missing(kafka, protocol, wanted) == set(), 60.0, every_s=0.5
                )
            ledger = await run.stop()
        assert (ledger.lost, ledger.quarantined, ledger.dropped) == (0, {}, {})
        return talker.said, ledger

    said, ledger = asyncio.run(go())
    found = values(kafka, protocol)
    assert said
    assert sum(found.values()) == ledger.published, "what is counted is there, and once"


def values(kafka: str, protocol: str) -> "Counter[tuple[str, int]]":
    """(tag, time) → how often it is in `raw`, each record once."""
    found: Counter[tuple[str, int]] = Counter()
    seen: set[int] = set()
    for message in consume_all(kafka, [topic(PATH, MessageClass.RAW)]):
        record = CODEC.decode(message.value())
        if isinstance(record, Samples) and record.source == f"stops-{protocol}" and record.sequence not in seen:
            seen.add(record.sequence)
            found.update((sample.tag, sample.at) for sample in record.samples)
    return found


def missing(kafka: str, protocol: str, wanted: set[int]) -> set[int]:
    """Those of the values of `State` that are not in `raw`."""
    return wanted - {(at - T0) // 1000 + 1 for tag, at in values(kafka, protocol) if tag == "State"}
