"""What every registered connector must do (docs/spec.md), as a suite over a real source."""

import asyncio
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.base import (
    Batch,
    Connector,
    ConnectorSpec,
    FactReading,
    Malformed,
    Position,
    Reading,
    Resumes,
    Safe,
    Said,
    SourceUnavailable,
)
from schemas.records import GOOD, Sample
from uns.model.components import connector_spec
from uns.runtime.ports import free_port
from uns.testing.component import SECRET, ComponentContract
from uns.testing.patience import patient
from uns.testing.resilience import ResilienceContract
from uns.testing.source import DEADLINE_S, T0, OpenSource, Source
from uns.testing.text import LABEL, check_sendable


@dataclass(frozen=True)
class Codec:
    """A connector's pure part, for the fuzzer."""

    inputs: st.SearchStrategy[Any]
    """Whatever a source might say, hostile bytes included."""
    decode: Callable[[Any], Iterable[Said]]


Away = Callable[[int], dict[str, Any]]
"""Options by which a source is away, whose errors name this number: a port where nobody listens, a folder that is not."""


class ConnectorContract(ResilienceContract, ComponentContract):
    """The suite; `connector_contract` makes one for a protocol."""

    codec: ClassVar[Codec]
    away: ClassVar[Away | None]

    @property
    def spec(self) -> ConnectorSpec[Any]:
        return connector_spec(self.protocol)

    def build(self, config: dict[str, Any]) -> Connector:
        return self.spec.build("contract", self.spec.config.model_validate(config))

    def test_a_configuration_error_does_not_repeat_secrets(self) -> None:
        with pytest.raises(ValidationError) as caught:
            self.spec.config.model_validate({**self.sample(), "no_such_option": SECRET})
        assert SECRET not in str(caught.value)

    def test_building_it_connects_to_nothing(self) -> None:
        before = threading.active_count()
        connector = self.build(self.sample())
        assert threading.active_count() == before
        assert not connector.healthy()

    def test_its_readme_says_what_is_guaranteed(self) -> None:
        assert "guaranteed" in self.file("README.md")

    # -- codec -------------------------------------------------------------------------------------------------

    def test_whatever_the_source_says_is_a_reading_a_fact_or_malformed(self) -> None:
        @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
        @given(self.codec.inputs)
        def fuzz(said: Any) -> None:
            for thing in self.codec.decode(said):
                check_said(thing)

        fuzz()

    # -- conversation ------------------------------------------------------------------------------------------

    def test_a_source_that_is_away_is_named(self) -> None:
        port = free_port()
        config = self.sample()
        away = type(self).away
        config |= _addresses(config, port) if away is None else away(port)

        async def go() -> None:
            connector = self.build(config)
            with pytest.raises(SourceUnavailable, match=str(port)):
                async with asyncio.timeout(patient(DEADLINE_S)):
                    await connector.open({})
            await connector.close()
            await connector.close()
            assert not connector.healthy()

        asyncio.run(go())

    def test_values_come_with_their_own_times_in_order(self, request: pytest.FixtureRequest) -> None:
        async def go() -> None:
            async with type(self).source(request) as source:
                connector = self.build(source.config)
                await connector.open({})
                said = [Sample("State", T0 + n * 1000, n + 1) for n in range(200)]
                said += [Sample(tag, T0 + n * 1000, value) for n, (tag, value) in enumerate(source.also)]
                read = await converse(connector, source, said)
                assert connector.healthy()
                states = [sample for sample in read if sample.tag == "State"]
                assert states == said[:200], "each change, with the source's own time if it has one, in order, once"
                assert set(said) <= set(read)
                await connector.close()
                assert not connector.healthy()

        asyncio.run(go())

    def test_what_it_cannot_read_holds_nothing_back(self, request: pytest.FixtureRequest) -> None:
        async def go() -> None:
            async with type(self).source(request) as source:
                connector = self.build(source.config)
                await connector.open({})
                malformed: list[Malformed] = []
                said = [Sample("State", T0, 1), Sample("State", T0 + 1000, 2)]
                read = await converse(connector, source, said, malformed)
                assert [sample.value for sample in read if sample.tag == "State"] == [1, 2]
                assert malformed, "what cannot be read is told"
                for thing in malformed:
                    check_said(thing)
                await connector.close()

        asyncio.run(go())

    def test_cancelling_is_prompt(self, request: pytest.FixtureRequest) -> None:
        async def go() -> None:
            async with type(self).source(request) as source:
                connector = self.build(source.config)
                await connector.open({})
                task = asyncio.create_task(drain(connector.batches()))
                await asyncio.sleep(0)
                task.cancel()
                async with asyncio.timeout(patient(5)):
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    await connector.close()

        asyncio.run(go())

    def test_a_lost_source_is_noticed(self, request: pytest.FixtureRequest) -> None:
        async def go() -> None:
            async with type(self).source(request) as source:
                if getattr(source, "listens", False):
                    pytest.skip("this connector is a server: there is no link to lose")
                connector = self.build(source.config)
                await connector.open({})
                task = asyncio.create_task(drain(connector.batches()))
                await asyncio.sleep(0)
                await source.vanish()
                async with asyncio.timeout(patient(DEADLINE_S)):
                    with pytest.raises(SourceUnavailable):
                        await task
                await connector.close()

        asyncio.run(go())

    def test_what_was_not_acknowledged_comes_again(self, request: pytest.FixtureRequest) -> None:
        async def go() -> None:
            async with type(self).source(request) as source:
                if not source.asks_again:
                    pytest.skip("this source keeps nothing for a reader that is away; the README says which do")
                cursor: dict[str, Position] = {}
                first = self.build(source.config)
                await first.open({})
                await source.say("State", T0, 1)
                await collect(first, source, {("State", T0)}, ack=True, cursor=cursor)
                await source.say("State", T0 + 1000, 2)
                await collect(first, source, {("State", T0 + 1000)}, ack=False)
                await first.close()
                await source.say("State", T0 + 2000, 3)
                second = self.build(source.config)
                resume_at(second, cursor)
                await second.open({(source.path, "State"): Safe(T0, 1, 0)})
                read = await collect(second, source, {("State", T0 + 1000), ("State", T0 + 2000)})
                states = sorted((sample.at, sample.value) for sample in read if sample.tag == "State")
                assert [value for _, value in states] == [2, 3], "each once; what is live need not wait for it"
                await second.close()

        asyncio.run(go())


def connector_contract(
    protocol: str, source: OpenSource, codec: Codec, away: Away | None = None, cut_by_relay: bool = True
) -> type[ConnectorContract]:
    """The suite for a registered protocol: assign it to a name that begins with `Test` in a test module.

    Without `away`, each address of the sample configuration becomes one where nobody listens. `cut_by_relay`: what lies
    between it and its source can be cut by a relay at the address of its configuration; false where the source tells it
    other addresses, or it is itself the server.
    """
    return type(
        f"Test{protocol.title()}Contract",
        (ConnectorContract,),
        {
            "protocol": protocol,
            "source": staticmethod(source),
            "codec": codec,
            "away": away and staticmethod(away),
            "cut_by_relay": cut_by_relay,
        },
    )


def _addresses(config: dict[str, Any], port: int) -> dict[str, Any]:
    """The addresses of a configuration, moved to where nobody listens."""
    return {
        name: f"{value.partition('://')[0]}://127.0.0.1:{port}"
        for name, value in config.items()
        if isinstance(value, str) and "://" in value
    }


def check_said(thing: Said) -> None:
    """Raises AssertionError for what the runner could not publish or quarantine."""
    match thing:
        case Reading(sample=sample):
            check_sendable(sample.tag, "tag")
            assert sample.tag
            assert -(2**63) <= sample.at < 2**63
            assert 0 <= sample.quality < 2**32
            assert sample.value is None or isinstance(sample.value, bool | int | float | str)
            if isinstance(sample.value, str):
                check_sendable(sample.value, "value")
            if isinstance(sample.value, int):
                assert -(2**63) <= sample.value < 2**63
        case FactReading(fact=fact):
            check_sendable("".join(part for part in _texts(fact)), "fact")
        case Malformed():
            assert isinstance(thing.payload, bytes)
            assert re.fullmatch(LABEL, thing.reason), thing.reason
            assert thing.message
            check_sendable(thing.message, "message")
            check_sendable(thing.origin, "origin")


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif hasattr(value, "__struct_fields__"):
        for name in value.__struct_fields__:
            yield from _texts(getattr(value, name))


async def collect(
    connector: Connector,
    source: Source,
    wanted: set[tuple[str, int]],
    ack: bool = True,
    malformed: list[Malformed] | None = None,
    cursor: dict[str, Position] | None = None,
) -> list[Sample]:
    """Samples until all wanted (tag, at) have come; what is malformed goes to the list, or fails where there is none. With
    a cursor, that of what is acknowledged is kept in it."""
    read: list[Sample] = []
    stream = connector.batches()
    async with asyncio.timeout(patient(DEADLINE_S)), aclosing(stream):  # type: ignore[type-var]
        async for batch in stream:
            if malformed is None:
                assert not batch.malformed, batch.malformed
            else:
                malformed += batch.malformed
            assert all(reading.path == source.path for reading in batch.readings)
            read += [reading.sample for reading in batch.readings if reading.sample.at >= T0]
            if ack:
                await batch.ack()
                if cursor is not None:
                    keep(cursor, batch)
            if wanted <= {(sample.tag, sample.at) for sample in read}:
                break
    return read


async def converse(
    connector: Connector, source: Source, said: Sequence[Sample], malformed: list[Malformed] | None = None
) -> list[Sample]:
    """What is read of a source that says these. With a list for what is malformed, it babbles after the first of them."""

    async def say(sample: Sample) -> None:
        await source.say(sample.tag, sample.at, sample.value)
        if malformed is not None and sample is said[0]:
            await source.babble()

    if getattr(source, "polled", False):
        return await _converse_polled(connector, source, said, say, malformed)
    for sample in said:
        await say(sample)
    return await collect(connector, source, {(sample.tag, sample.at) for sample in said}, malformed=malformed)


async def _converse_polled(
    connector: Connector,
    source: Source,
    said: Sequence[Sample],
    say: Callable[[Sample], Awaitable[None]],
    malformed: list[Malformed] | None,
) -> list[Sample]:
    """Each is said once the one before has been read, and stands for all that is read of it. What is read must be what
    was said, of each tag in its order, at the time of its arrival; before the first value of a tag any other may come.
    """
    present: dict[str, Sample] = {}
    read: list[Sample] = []
    waiting = deque(said)
    await say(waiting[0])
    stream = connector.batches()
    async with asyncio.timeout(patient(DEADLINE_S)), aclosing(stream):  # type: ignore[type-var]
        async for batch in stream:
            assert malformed is not None or not batch.malformed, batch.malformed
            if malformed is not None:
                malformed += batch.malformed
            await batch.ack()
            for reading in batch.readings:
                assert reading.path == source.path
                assert reading.time_of == "arrival"
                assert abs(reading.sample.at - time.time_ns() // 1000) < patient(DEADLINE_S) * 1_000_000
                tag, value, quality = reading.sample.tag, reading.sample.value, reading.sample.quality
                if waiting and (tag, value, quality) == (waiting[0].tag, waiting[0].value, waiting[0].quality):
                    present[tag] = waiting.popleft()
                    read.append(present[tag])
                    if waiting:
                        await say(waiting[0])
                elif tag in present and quality == GOOD:
                    assert value == present[tag].value, f"{tag} = {value} was not said now"
            if not waiting and malformed != []:
                break
    return read


def keep(cursor: dict[str, Position], batch: Batch) -> None:
    """Takes in the cursor of a batch that is safe, as the spool does."""
    for name, position in batch.cursor.items():
        if position is None:
            cursor.pop(name, None)
        else:
            cursor[name] = position


def resume_at(connector: Connector, cursor: Mapping[str, Position]) -> None:
    """Tells a connector that is to be opened what is safe, as the runner does."""
    if isinstance(connector, Resumes):
        connector.resume_at(dict(cursor))


async def drain(batches: AsyncIterator[Batch]) -> None:
    """Reads to the end, or to the error."""
    async for _ in batches:
        pass
