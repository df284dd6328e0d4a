"""The sequence of an agent goes on, or what it lost is said: order, links that are cut, restarts, overruns, deaths."""

import time

import pytest

from connectors.base import Safe
from connectors.mtconnect import agent as agent_module
from tests.contract.reader_mtconnect import connector, conversation, count, reading
from tests.contract.source_mtconnect import Agent, agent
from tests.contract.sources import PATH
from uns.testing.source import T0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "BACKOFF_S", (0.05, 0.2))


@conversation
async def test_observations_of_one_document_are_told_in_the_order_of_their_sequence() -> None:
    async with agent() as serving, reading(connector(serving)) as reader:
        for n in range(30):
            serving.tell(["Speed", "State", "Execution"][n % 3], T0 + n, n)
        await reader.until(lambda: len(reader.values("Execution")) == 10)
        said = [r.sample for batch in reader.batches for r in batch.readings if r.sample.at >= T0]
        assert [int(sample.value or 0) for sample in said] == list(range(30))


@conversation
async def test_a_link_that_is_cut_half_way_through_a_part_loses_nothing() -> None:
    async with agent(chunk=100) as serving, reading(connector(serving, count=20)) as reader:
        for round_ in range(5):
            serving.cut_after = 1_500 + 777 * round_
            count(serving, 40 * round_, 40 * round_ + 40)
            await reader.until(lambda wanted=40 * round_ + 40: len(reader.values()) >= wanted)  # type: ignore[misc]
        assert reader.values() == list(range(200))
        assert not reader.holes
        assert not reader.malformed


@conversation
async def test_an_agent_that_is_away_for_a_while_is_read_on_where_it_was() -> None:
    async with agent() as serving:
        mills = connector(serving)
        async with reading(mills) as reader:
            count(serving, 0, 5)
            await reader.until(lambda: reader.values() == [0, 1, 2, 3, 4])
            await serving.stop()
            await reader.until(lambda: reader.lost is not None)
            assert str(serving.port) in (reader.lost or "")
        count(serving, 5, 9)
        await serving.start()
        async with reading(mills, {(PATH, "State"): Safe(T0 + 4000, 4, 0)}) as reader:
            await reader.until(lambda: reader.caught_up > 0)
            assert reader.values() == [5, 6, 7, 8]
            assert not reader.holes


@conversation
async def test_an_agent_that_was_restarted_is_read_from_its_begin_and_the_gap_is_told() -> None:
    async with agent() as serving, reading(connector(serving, serving_beside := Agent())) as reader:
        count(serving, 0, 5)
        await reader.until(lambda: len(reader.values()) == 5)
        before = time.time_ns() // 1000
        await serving.restart()
        count(serving, 5, 9)
        await reader.until(lambda: len(reader.values()) == 9)
        assert reader.values() == list(range(9))
        (hole,) = reader.holes
        assert hole.cause == "session_lost"
        assert hole.first <= before <= hole.last <= time.time_ns() // 1000
        unavailable = [
            r for batch in reader.batches for r in batch.readings if r.sample.tag == "State" and r.sample.quality
        ]
        assert len(unavailable) == 2, "at its first start, and at its second"
        assert any(str(serving_beside.port) in problem for problem in reader.connector.problems())


@conversation
async def test_a_buffer_that_had_no_room_is_a_gap_and_what_is_still_there_is_read() -> None:
    async with agent(buffer=20) as serving:
        mills = connector(serving)
        async with reading(mills) as reader:
            count(serving, 0, 5)
            serving.tell("Execution", T0, "ACTIVE")
            await reader.until(lambda: len(reader.values()) == 5 and reader.values("Execution") == ["ACTIVE"])
        serving.tell("Execution", T0 + 5, "INTERRUPTED")
        count(serving, 5, 95)
        serving.tell("Execution", T0 + 95_000, "READY")
        count(serving, 95, 105)
        async with reading(mills) as reader:
            await reader.until(lambda: reader.caught_up > 0)
            assert reader.values() == list(range(86, 105))
            assert reader.values("Execution") == ["INTERRUPTED", "READY"], "what held where the buffer begins is told"
            (hole,) = reader.holes
            assert (hole.cause, hole.last + 1) == ("overflow", T0 + 86_000)


@conversation
async def test_a_death_is_filled_from_the_buffer_and_what_is_safe_is_not_told_again() -> None:
    async with agent() as serving:
        count(serving, 0, 10)
        async with reading(connector(serving, count=3), {(PATH, "State"): Safe(T0 + 4000, 4, 0)}) as reader:
            await reader.until(lambda: reader.caught_up > 0)
            assert reader.values() == [5, 6, 7, 8, 9]
            count(serving, 10, 12)
            await reader.until(lambda: len(reader.values()) == 7)


@conversation
async def test_a_death_that_an_agent_did_not_survive_either_stays_a_gap() -> None:
    async with agent() as serving:
        count(serving, 0, 3)
        safe = {(PATH, "State"): Safe(time.time_ns() // 1000 - 60_000_000, 4, 0)}
        async with reading(connector(serving), safe) as reader:
            await reader.until(lambda: len(reader.values()) == 3)
            count(serving, 3, 6)
            await reader.until(lambda: len(reader.values()) == 6)
            assert not reader.caught_up
