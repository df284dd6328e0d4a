"""What a connector says of the time in which it did not listen."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from connectors.base import Batch, Reading, Resume, SourceUnavailable, Span
from schemas.codec import Codec
from schemas.records import TYPES, Gap, Sample
from tests.harness.line_logs import CELL, plant
from topology.model.wiring import ConnectorEntry as Model
from topology.namespace.path import Path as Place
from uns.runners.connector import runner as module
from uns.runners.connector import source
from uns.runners.connector.freshness import Freshness
from uns.runners.connector.listening import Listening, overflown
from uns.runners.connector.outlet import Outlet
from uns.runners.connector.packing import Packer
from uns.runners.connector.runner import ConnectorRunner
from uns.runners.connector.source import Setup
from uns.runners.connector.spool import Spool
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings

PLACE = Place.parse(CELL)
CODEC = Codec({name: number for number, name in enumerate(TYPES, 1)})


def spans(gaps: dict[Place, Gap]) -> list[tuple[int, int | None, str]]:
    return [(gap.started_at, gap.ended_at, gap.cause) for gap in gaps.values()]


def test_nothing_is_said_of_the_time_before_the_first_start() -> None:
    assert Listening("plc", None).opened(1_000, [PLACE], None) == {}


def test_a_new_process_says_that_the_one_before_was_away() -> None:
    first = Listening("plc", 1_000)
    assert spans(first.opened(5_000, [PLACE], None)) == [(1_000, 5_000, "connector_down")]
    again = Listening("plc", 1_000)  # it died before anything else was kept
    assert again.opened(9_000, [PLACE], None)[PLACE].id == first.told[PLACE].id


def test_a_link_that_was_lost_is_a_gap_from_when_it_was_last_good() -> None:
    listening = Listening("plc", None)
    listening.opened(0, [PLACE], None)
    listening.good(4_000)
    listening.good(3_000)  # an older proof proves nothing more
    listening.lost()
    assert spans(listening.opened(7_000, [PLACE], None)) == [(4_000, 7_000, "link_lost")]
    assert listening.last == 7_000


def test_what_a_source_has_kept_is_no_gap_and_a_lost_session_is_one() -> None:
    assert Listening("plc", 1_000).opened(5_000, [PLACE], True) == {}
    assert spans(Listening("plc", 1_000).opened(5_000, [PLACE], False)) == [(1_000, 5_000, "session_lost")]


def test_a_history_takes_the_gap_back_once() -> None:
    listening = Listening("plc", 1_000)
    told = listening.opened(5_000, [PLACE], None)[PLACE]
    withdrawn = listening.caught_up([PLACE])[PLACE]
    assert (withdrawn.id, withdrawn.started_at, withdrawn.ended_at) == (told.id, 1_000, 1_000)
    assert listening.caught_up([PLACE]) == {}


def test_an_overflow_is_a_gap_from_the_first_to_the_last_sample_that_was_dropped() -> None:
    assert spans(overflown("plc", {CELL: (10, 30)})) == [(10, 31, "overflow")]


def test_an_overflow_of_the_source_grows_while_it_goes_on() -> None:
    listening = Listening("plc", None)
    first = listening.dropped({PLACE: Span(10, 20)})[PLACE]
    longer = listening.dropped({PLACE: Span(20, 35)})[PLACE]
    assert (first.started_at, longer.started_at, longer.ended_at, longer.id) == (10, 10, 36, first.id)
    other = listening.dropped({PLACE: Span(50, 60)})[PLACE]
    assert other.id != first.id


class Link:
    """A source whose link breaks when it is told to; its clock is the test's."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.opened = 0
        self.gone = asyncio.Event()
        self.caught_up: tuple[Place, ...] = ()
        self.missed: dict[tuple[Place, str], Span] = {}

    async def open(self, resume: Resume) -> None:
        self.opened += 1
        self.gone.clear()

    async def batches(self) -> AsyncIterator[Batch]:
        yield Batch(readings=(Reading(PLACE, Sample("State", self.now, 6)),))
        if self.caught_up:
            yield Batch(caught_up=self.caught_up)
        if self.missed:
            yield Batch(missed=self.missed)
        await self.gone.wait()
        raise SourceUnavailable("gone")

    async def close(self) -> None:
        return

    def healthy(self) -> bool:
        return True

    def problems(self) -> Sequence[str]:
        return ()


async def running(folder: Path, link: Link) -> tuple[ConnectorRunner, "asyncio.Task[None]"]:
    model = Model.model_validate({"protocol": "link", "config": {}})
    spool = Spool(folder, 1_000_000)
    packer = Packer("plc", plant(), CODEC, model, spool.next_sequence)
    runner = ConnectorRunner(
        "plc", Setup(model, lambda: link, packer, Freshness(model, plant())), spool, lambda: link.now
    )
    runner.attach(Outlet(Settings(bootstrap=f"127.0.0.1:{free_port()}"), spool, lambda: None))
    return runner, asyncio.create_task(runner.run())


def told(spool: Spool) -> list[Gap]:
    records = [CODEC.decode(row.entry.value) for row in spool.read(0, 1_000)]
    return [record for record in records if isinstance(record, Gap)]


async def until(condition: object) -> None:
    async with asyncio.timeout(20):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("closed", [False, True], ids=["no history", "history"])
def test_a_runner_tells_gaps_of_links_and_of_deaths_and_takes_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    monkeypatch.setattr(source, "BACKOFF_S", (0.01, 0.02))
    for name, value in (("FLUSH_S", 0.1), ("LISTEN_S", 0.01)):
        monkeypatch.setattr(module, name, value)

    async def go() -> None:
        link = Link()
        runner, task = await running(tmp_path, link)
        await until(lambda: runner.spool.newest() and runner.spool.listened == link.now)
        link.now = 5_000_000
        await until(lambda: runner.spool.listened == 5_000_000)
        link.now, link.caught_up = 9_000_000, (PLACE,) if closed else ()
        # The link is lost before it is proved again: it was last known good at 5 s.
        monkeypatch.setattr(link, "healthy", lambda: False)
        link.gone.set()
        await until(lambda: link.opened == 2 and told(runner.spool))
        wanted = [(5_000_000, 9_000_000, "link_lost")] + [(5_000_000, 5_000_000, "link_lost")] * closed
        await until(lambda: len(told(runner.spool)) == len(wanted))
        assert [(gap.started_at, gap.ended_at, gap.cause) for gap in told(runner.spool)] == wanted
        assert len({gap.id for gap in told(runner.spool)}) == 1
        monkeypatch.setattr(link, "healthy", lambda: True)
        await until(lambda: runner.spool.listened == 9_000_000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        link.now, link.caught_up = 60_000_000, ()
        runner, task = await running(tmp_path, link)
        await until(lambda: len(told(runner.spool)) == len(wanted) + 1)
        gap = told(runner.spool)[-1]
        assert (gap.started_at, gap.ended_at, gap.cause, gap.by) == (9_000_000, 60_000_000, "connector_down", "plc")
        await until(lambda: runner.spool.ledger().read == 3)  # a gap is nothing that was read
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


def test_a_runner_tells_where_the_source_had_no_room_for_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_S", 0.1)

    async def go() -> None:
        link = Link()
        link.missed = {(PLACE, "State"): Span(10, 20), (PLACE, "Good"): Span(5, 90), (PLACE, "NoTag"): Span(1, 2)}
        runner, task = await running(tmp_path, link)
        await until(lambda: told(runner.spool))
        (gap,) = told(runner.spool)
        assert (gap.started_at, gap.ended_at, gap.cause) == (10, 21, "overflow"), "of a total nothing is unknown"
        assert runner.overflows == 3
        assert runner.spool.ledger().read == 1, "a gap is nothing that was read"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
