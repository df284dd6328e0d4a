"""Arrays of a real server: what was missed of their parts comes from history, each value once; a bad whole is bad in parts."""

import asyncio
from collections.abc import Iterable
from typing import Any

from asyncua import ua

from connectors.base import Resume, Safe
from connectors.opcua import spec
from connectors.opcua.codec import moment
from connectors.opcua.novelty import TagKey
from connectors.opcua.tags import Tags
from schemas.records import Sample
from tests.contract.source_opcua import OpcUaSource, opcua
from tests.contract.sources import PATH
from uns.testing.patience import patient
from uns.testing.source import T0

BAD = ua.StatusCodes.BadNoCommunication


async def say(source: OpcUaSource, number: int, value: Any, code: int = 0) -> None:
    at = moment(T0 + number)
    variant = ua.Variant(value, ua.VariantType.String) if value is not None else ua.Variant()
    data = ua.DataValue(variant, StatusCode=ua.StatusCode(ua.UInt32(code)), SourceTimestamp=at, ServerTimestamp=at)
    await source.server.write_attribute_value(ua.NodeId("filler.Name", 2), data)


async def read(source: OpcUaSource, resume: Resume, until: Sample, then: Iterable[Any] = ()) -> list[Sample]:
    """All of `Name` and its parts up to a sample; `then` is awaited once the connection is there."""
    connector = spec.build("test", spec.config.model_validate(source.config))
    await connector.open(resume)
    for step in then:
        await step
    told: list[Sample] = []
    async with asyncio.timeout(patient(20)):
        async for batch in connector.batches():
            told += [r.sample for r in batch.readings if r.sample.tag.startswith("Name") and r.sample.at >= T0]
            if until in told and all(r.ahead is False for r in batch.readings):
                break
            if batch.reached:
                break
    await connector.close()
    return told


def test_what_was_missed_of_an_array_comes_from_history_and_a_bad_whole_is_bad_in_parts() -> None:
    async def go() -> None:
        async with opcua() as source:
            await say(source, 0, ["a", "b"])
            first = await read(source, {}, Sample("Name.1", T0, "b"))
            assert sorted(first, key=str) == [Sample("Name.0", T0, "a"), Sample("Name.1", T0, "b")]
            for number in range(1, 5):
                await say(source, number, [f"a{number}", f"b{number}"])
            resume = {(PATH, sample.tag): Safe(sample.at, sample.value, sample.quality) for sample in first}
            second = await read(source, resume, Sample("Name.none", 0, None))
            missed = [Sample(f"Name.{place}", T0 + n, f"{'ab'[place]}{n}") for n in range(1, 5) for place in (0, 1)]
            assert sorted(second, key=str) == sorted(missed, key=str), "each once, of both parts"
            resume = {(PATH, tag): Safe(T0 + 4, f"{letter}4", 0) for tag, letter in (("Name.0", "a"), ("Name.1", "b"))}
            third = await read(source, resume, Sample("Name.1", T0 + 5, None, BAD), [say(source, 5, None, BAD)])
            assert third[-2:] == [Sample(f"Name.{place}", T0 + 5, None, BAD) for place in (0, 1)]

    asyncio.run(go())


def test_tags_of_parts_are_those_of_before_and_of_now_and_no_variables() -> None:
    tags, grid = Tags(), (PATH, "Grid")

    def key(tag: str) -> TagKey:
        return PATH, tag

    tags.reopened({key("Grid.0.1"): Safe(1), key("Grid.Unit"): Safe(1), key("Grids.1"): Safe(1)})
    tags.own([grid, key("Grid.Unit")])
    assert tags.of(grid) == [grid, key("Grid.0.1")]
    tags.told(grid, grid)
    tags.told(grid, key("Grid.0.0"))
    assert tags.parts(grid) == [key("Grid.0.0"), key("Grid.0.1")]
    tags.reopened({})
    assert tags.parts(grid) == [key("Grid.0.0")]
    for number in range(300):
        tags.told(grid, key(f"Grid.{number}"))
    assert len(tags.parts(grid)) == 256
