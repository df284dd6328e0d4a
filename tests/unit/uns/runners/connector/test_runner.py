"""The runner with a Kafka that is not there: what it does with a full spool, a lost source, a bug, a stop."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from connectors.base import Batch, Reading, Resume, SourceUnavailable
from schemas.codec import Codec
from schemas.records import TYPES, Sample
from tests.harness.line_logs import CELL, plant
from tests.harness.rounds import few_and_many
from topology.model.wiring import ConnectorEntry as Model
from topology.namespace.path import Path as Place
from uns.runners.connector import runner as module
from uns.runners.connector import source
from uns.runners.connector.freshness import Freshness
from uns.runners.connector.outlet import Outlet
from uns.runners.connector.packing import Packer
from uns.runners.connector.runner import ConnectorRunner
from uns.runners.connector.service import ConnectorMetrics
from uns.runners.connector.source import Setup
from uns.runners.connector.spool import Spool
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings
from uns.testing.patience import patient

FULL = 20_000
"""Bytes of the spool."""


class Counter:
    """A connector that counts, a batch at a time, as fast as it is let."""

    def __init__(self, end: int = 10**9, fails: BaseException | None = None) -> None:
        self.said = self.opened = self.acked = self.closed = 0
        self.resumed: Resume = {}
        self.not_read: tuple[str, ...] = ()
        self._end, self._fails = end, fails

    async def open(self, resume: Resume) -> None:
        self.opened, self.resumed = self.opened + 1, resume

    async def batches(self) -> AsyncIterator[Batch]:
        while self.said < self._end:
            self.said += 1
            sample = Sample("Text", self.said, f"{self.said:0>1000}")
            yield Batch(readings=(Reading(Place.parse(CELL), sample),), ack=self._ack)
            await asyncio.sleep(0)
        if self._fails is not None:
            raise self._fails
        await asyncio.Event().wait()

    async def _ack(self) -> None:
        self.acked += 1

    async def close(self) -> None:
        self.closed += 1

    def healthy(self) -> bool:
        return True

    def problems(self) -> Sequence[str]:
        return self.not_read


def with_runner(
    folder: Path,
    connector: Counter,
    policy: str,
    check: Callable[[ConnectorRunner, "asyncio.Task[None]"], Awaitable[None]],
    full: int = FULL,
) -> None:
    """Runs `check` beside a runner whose Kafka does not answer, then stops it."""

    async def go() -> None:
        runner = runner_of(folder, connector, policy, full)
        task = asyncio.create_task(runner.run())
        try:
            async with asyncio.timeout(20):
                await check(runner, task)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, RuntimeError):
                await task
        assert connector.closed

    asyncio.run(go())


def runner_of(folder: Path, connector: Counter, policy: str, full: int) -> ConnectorRunner:
    """One that is not running yet, for this loop."""
    model = Model.model_validate({"protocol": "counter", "spool": {"when_full": policy}, "config": {}})
    spool = Spool(folder, full)
    codec = Codec({name: number for number, name in enumerate(TYPES, 1)})
    packer = Packer("plc", plant(), codec, model, spool.next_sequence)
    runner = ConnectorRunner("plc", Setup(model, lambda: connector, packer, Freshness(model, plant())), spool)
    loop = asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(runner.wake)

    runner.attach(Outlet(Settings(bootstrap=f"127.0.0.1:{free_port()}"), spool, wake))
    return runner


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_S", 0.1)
    monkeypatch.setattr(source, "BACKOFF_S", (0.01, 0.02))
    monkeypatch.setattr(module, "GATHER_MAX", 5)


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 (conditions of several kinds)
        await asyncio.sleep(0.01)


def test_every_counter_is_there_before_anything_has_happened(tmp_path: Path) -> None:
    connector = Counter(0)

    async def check(runner: ConnectorRunner, task: "asyncio.Task[None]") -> None:
        await until(lambda: connector.opened)
        families = {family.name: family for family in ConnectorMetrics(runner).collect()}
        units = {tuple(s.labels.values())[1:] for s in families["uns_connector_units"].samples}
        assert units >= {
            ("published", ""),
            ("suppressed", "unchanged"),
            ("suppressed", "deadband"),
            ("quarantined", "unknown_path"),
            ("quarantined", "bad_value"),
            ("quarantined", "bad_fact"),
            ("dropped", "spool_full"),
        }
        outcomes = {s.labels["outcome"]: s.value for s in families["uns_connector_outcomes"].samples}
        assert outcomes.keys() == {"read", "published", "suppressed", "quarantined", "dropped"}
        assert outcomes["dropped"] == outcomes["quarantined"] == 0

    with_runner(tmp_path, connector, "block", check)


def test_a_full_spool_makes_the_source_wait(tmp_path: Path) -> None:
    connector = Counter()

    async def check(runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        await until(lambda: any("spool is full" in reason for reason in runner.problems()))
        await until(lambda: connector.said > runner.spool.pending + source.INBOX_MAX)  # one more waits for room
        said = connector.said
        for _ in range(20):
            await asyncio.sleep(0)
        assert connector.said == said
        assert runner.spool.bytes < FULL + 10_000
        assert runner.spool.ledger().lost == 0
        assert runner.spool.ledger().dropped == {}
        assert connector.acked == 0, "Kafka has none of it"

    with_runner(tmp_path, connector, "block", check)


def test_or_drops_the_oldest_and_counts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uns.runners.connector.outlet.IN_FLIGHT_MAX", 5)
    connector = Counter()

    async def check(runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        await until(lambda: runner.spool.ledger().dropped.get("spool_full", 0) > 100)
        ledger = runner.spool.ledger()
        assert ledger.lost == 0
        assert ledger.published == 0
        assert runner.spool.bytes <= FULL
        assert any("spool is full" in reason for reason in runner.problems())

    with_runner(tmp_path, connector, "drop_oldest", check)


def test_a_group_that_is_dropped_at_once_holds_back_no_acknowledgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "uns.runners.connector.outlet.IN_FLIGHT_MAX", 0
    )  # nothing was given to Kafka: everything may be dropped
    connector = Counter(50)

    async def check(runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        await until(lambda: connector.acked == 50)
        assert runner.spool.ledger().dropped == {"spool_full": 50}
        assert runner.spool.ledger().lost == 0

    with_runner(tmp_path, connector, "drop_oldest", check, full=100)  # less than one value


def test_before_a_source_is_asked_again_all_that_it_said_is_in_the_spool(tmp_path: Path) -> None:
    resumed: list[Resume] = []

    class Remembering(Counter):
        async def open(self, resume: Resume) -> None:
            await super().open(resume)
            resumed.append(resume)

    async def check(_runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        await until(lambda: len(resumed) > 1)
        assert {key: safe.at for key, safe in resumed[1].items()} == {(Place.parse(CELL), "Text"): 3}

    with_runner(tmp_path, Remembering(3, SourceUnavailable("counter://x is away")), "block", check)


def test_a_source_without_a_window_of_its_own_waits_for_its_acknowledgements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNACKED_MAX", 20)
    connector = Counter()

    async def check(runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        await until(lambda: connector.said > source.INBOX_MAX + 20 and runner.spool.pending >= 20)
        for _ in range(20):
            await asyncio.sleep(0)
        assert runner.spool.pending < 20 + module.GATHER_MAX
        assert any("acknowledge" in reason for reason in runner.problems())

    with_runner(tmp_path, connector, "block", check, full=10**9)


def test_a_lost_source_is_opened_again_from_where_it_is_safe(tmp_path: Path) -> None:
    connector = Counter(3, SourceUnavailable("counter://x is away"))

    async def check(runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        await until(lambda: connector.opened >= 3)
        key = (Place.parse(CELL), "Text")
        await until(lambda: key in connector.resumed and connector.resumed[key].at == 3)
        assert runner.source.reopened >= 2
        await until(lambda: "counter://x is away" in runner.problems())

    with_runner(tmp_path, connector, "block", check)


def test_any_other_error_of_a_source_ends_the_process_with_what_was_read_in_the_spool(tmp_path: Path) -> None:
    async def check(_runner: ConnectorRunner, task: "asyncio.Task[None]") -> None:
        with pytest.raises(RuntimeError, match="a bug"):
            await task

    with_runner(tmp_path, Counter(7, RuntimeError("a bug")), "block", check)
    spool = Spool(tmp_path, FULL)
    assert (spool.ledger().read, spool.ledger().pending) == (7, 7)
    spool.close()


def test_a_stop_keeps_what_kafka_did_not_take(tmp_path: Path) -> None:
    connector = Counter(7)

    async def check(_runner: ConnectorRunner, task: "asyncio.Task[None]") -> None:
        await until(lambda: connector.said == 7)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with_runner(tmp_path, connector, "block", check)
    spool = Spool(tmp_path, FULL)
    assert (spool.ledger().read, spool.ledger().pending, connector.acked) == (7, 7, 0)
    assert sum(row.entry.units for row in spool.read(0, 100)) == 7
    spool.close()


@few_and_many("stops", 5, 50)
def test_it_stops_at_once_under_full_flow_whenever_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: int
) -> None:
    """`asyncio.wait_for` of Python 3.11 swallows a cancellation that meets its event: then a runner never ends."""

    monkeypatch.setattr(module, "FLUSH_S", 0.01)

    async def stop(turns: int) -> None:
        connector = Counter()
        task = asyncio.create_task(runner_of(tmp_path / str(turns), connector, "block", 10**9).run())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(patient(10)):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert connector.closed

    async def go() -> None:
        for number in range(1, 351, 350 // stops):
            await stop(number)

    asyncio.run(go())


def test_what_of_an_open_source_is_not_read_is_a_reason_not_to_be_ready(tmp_path: Path) -> None:
    connector = Counter()
    connector.not_read = ("filler: no node ns=2;s=x",)

    async def check(runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        await until(lambda: "filler: no node ns=2;s=x" in runner.problems())

    with_runner(tmp_path, connector, "block", check)


class Relinking(Counter):
    """A connector whose library reaches the source again by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[BaseException] = []

    def relinked(self) -> Sequence[BaseException]:
        ended, self.ended = self.ended, []
        return ended


def test_links_that_a_connector_opens_again_by_itself_are_counted_by_kind(tmp_path: Path) -> None:
    connector = Relinking()

    async def check(runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        await until(lambda: connector.opened == 1)
        cause = SourceUnavailable("broker b: away")
        cause.__cause__ = ConnectionRefusedError()
        connector.ended += [cause, TimeoutError()]
        await until(lambda: runner.source.health().reconnects == 2)
        told = runner.source.health().errors
        assert {kind: count for kind, count in told.items() if count} == {"refused": 1, "timeout": 1}
        assert runner.source.up(), "what it opened again by itself was never away"

    with_runner(tmp_path, connector, "block", check)


def test_who_stands_by_closes_its_source_and_opens_it_again_when_its_turn_comes(tmp_path: Path) -> None:
    connector = Counter()

    async def check(runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        source = runner.source
        await until(lambda: connector.said > 10)
        source.stands_by("plc runs already, on b")
        await until(lambda: connector.closed == 1)
        await until(lambda: source.problems() == ["plc runs already, on b"])
        assert not source.up()
        assert source.proved() is None, "who reads no source proves no link"
        said = connector.said
        source.stands_by("plc runs already, on c")
        assert source.problems() == ["plc runs already, on c"]
        assert (connector.opened, connector.said) == (1, said)
        source.holds(None)
        await until(lambda: connector.opened == 2 and connector.said > said)
        assert source.problems() == []
        assert source.reopened == 0, "it was not lost"

    with_runner(tmp_path, connector, "drop_oldest", check)


def test_a_model_read_anew_while_it_stands_by_opens_nothing(tmp_path: Path) -> None:
    connector = Counter()

    async def check(runner: ConnectorRunner, _task: "asyncio.Task[None]") -> None:
        await until(lambda: connector.said > 3)
        runner.source.stands_by("plc runs already, on b")
        await until(lambda: connector.closed == 1)
        other = dataclasses.replace(runner.setup, entry=runner.setup.entry.model_copy(update={"config": {"a": 1}}))
        assert await runner.reload(other)
        assert connector.opened == 1
        runner.source.holds(None)
        await until(lambda: connector.opened == 2)

    with_runner(tmp_path, connector, "drop_oldest", check)
