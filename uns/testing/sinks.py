"""What every registered sink must do (docs/spec.md), as a suite over a real target."""

import asyncio
import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import ValidationError

from schemas.records import Downtime, Inputs
from sinks.base import Delivery, Gathers, Rejected, Removed, Retryable, Sink, SinkSpec, Wanted
from topology.namespace.classes import MessageClass
from uns.model.components import sink_spec
from uns.runtime.ports import free_port
from uns.testing.component import SECRET, ComponentContract
from uns.testing.patience import patient
from uns.testing.source import DEADLINE_S
from uns.testing.text import LABEL, TEXTS, check_sendable

PATH = "acme/dallas/packaging/line-1/filler"
T = 1_795_000_000_000_000
"""µs: when the first downtime of the suite begins."""


def downtime(number: int, revision: int = 0, reason: str = "jam", path: str = PATH) -> Downtime:
    """A stop of half a minute, one a minute; `number` makes the id."""
    started_at = T + number * 60_000_000
    return Downtime(
        id=f"{path}#downtime@{number}~iso22400@1:{revision}",
        path=path,
        started_at=started_at,
        ended_at=started_at + 30_000_000,
        definition="iso22400@1",
        status="final",
        revision=revision,
        inputs=Inputs("uns.acme.dallas.packaging.raw", 0, number, number),
        kind="stop",
        state="stopped",
        reason_code=101,
        reason=reason,
        category="micro",
        order=None,
    )


def delivery(record: Downtime, offset: int) -> Delivery:
    """The record as a sink gets it."""
    return Delivery("uns.acme.dallas.packaging.downtime", 0, offset, record.path, MessageClass.DOWNTIME, record, T)


def removal(path: str, offset: int) -> Delivery:
    """A path that leaves the plant, as a sink gets it that asks for removals."""
    topic = "uns.acme.dallas.packaging.current"
    return Delivery(topic, 0, offset, path, MessageClass.CURRENT, Removed.at(path, topic, 0, offset, T), T)


class Target(Protocol):
    """A real target that the suite writes to."""

    refused: str
    """A reason text that the target refuses."""
    words: str
    """What it says then."""

    @property
    def config(self) -> dict[str, Any]:
        """A configuration of the sink that writes stops to it, with their reasons."""
        ...

    def content(self) -> Any:
        """All that is in it, to be compared; with nothing of the attempts in it."""
        ...


OpenTarget = Callable[[pytest.FixtureRequest], AbstractContextManager[Target]]
"""Starts the target of one test; takes what fixtures it needs from the request."""
Away = Callable[[int], dict[str, Any]]
"""A configuration with the secret `hunter2` for a target on a port of 127.0.0.1 where nobody answers."""


class SinkContract(ComponentContract):
    """The suite; `sink_contract` makes one for a kind."""

    kind: ClassVar[str]
    target: ClassVar[OpenTarget]
    away: ClassVar[Away]

    @property
    def spec(self) -> SinkSpec[Any]:
        return sink_spec(self.kind)

    def build(self, config: dict[str, Any], folder: Path) -> Sink:
        return self.spec.build("contract", self.spec.config.model_validate(config), folder)

    def test_a_configuration_error_does_not_repeat_secrets(self) -> None:
        with pytest.raises(ValidationError) as caught:
            self.spec.config.model_validate({**type(self).away(1), "no_such_option": SECRET})
        assert SECRET not in str(caught.value)

    def test_building_it_connects_to_nothing(self, tmp_path: Path) -> None:
        before = threading.active_count()
        self.build(self.sample(), tmp_path / "state")
        assert threading.active_count() == before
        assert not (tmp_path / "state").exists()

    def test_its_readme_says_what_is_guaranteed(self) -> None:
        assert "Effectively once" in self.file("README.md")

    # -- writing -----------------------------------------------------------------------------------------------

    def test_a_target_that_is_away_is_named_and_no_secret_shown(self, tmp_path: Path) -> None:
        port = free_port()

        async def open_and_write(sink: Sink) -> None:
            await sink.open()
            await sink.write([delivery(downtime(1), 0)], {})

        async def go() -> None:
            sink = self.build(type(self).away(port), tmp_path)
            with pytest.raises(Retryable, match=str(port)) as caught:
                async with asyncio.timeout(patient(DEADLINE_S)):
                    await open_and_write(sink)
            assert SECRET not in str(caught.value)
            with pytest.raises(Retryable):  # what the runner does when a reopen has failed, too
                await sink.write([delivery(downtime(1), 0)], {})
            await sink.close()
            await sink.close()
            with pytest.raises(Retryable):
                await sink.write([delivery(downtime(1), 0)], {})

        asyncio.run(go())

    def test_twice_is_once(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        deliveries = [delivery(downtime(n), n) for n in range(5)]
        deliveries.append(delivery(downtime(3, revision=1, reason="drive"), 5))
        positions = {(deliveries[0].topic, 0): 6}

        async def go() -> None:
            with type(self).target(request) as target:
                first = self.build(target.config, tmp_path)
                await first.open()
                assert await first.write(deliveries, positions) == []
                once = target.content()
                assert "drive" in str(once)
                assert await first.write(deliveries, positions) == []
                assert target.content() == once
                await first.close()
                # As after a crash between the target's commit and Kafka's: all again, in another process.
                second = self.build(target.config, tmp_path)
                await second.open()
                assert await second.positions() in (None, positions)
                for again in deliveries:
                    assert await second.write([again], {(again.topic, 0): again.offset + 1}) == []
                assert target.content() == once
                await second.close()

        asyncio.run(go())

    def test_a_refused_record_comes_back_with_the_targets_words_and_the_rest_is_written(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        async def go() -> None:
            with type(self).target(request) as target:
                bad = delivery(downtime(2, reason=target.refused), 2)
                deliveries = [delivery(downtime(n, reason=f"reason {n}"), n) for n in (0, 1)]
                deliveries += [bad, delivery(downtime(3, reason="reason 3"), 3)]
                end = {(bad.topic, 0): 4}
                sink = self.build(target.config, tmp_path)
                await sink.open()
                [rejected] = await sink.write(deliveries, end)
                assert isinstance(rejected, Rejected)
                assert rejected.delivery is bad
                assert target.words in rejected.message
                assert re.fullmatch(LABEL, rejected.reason)
                assert [f"reason {n}" in str(target.content()) for n in (0, 1, 3)] == [True] * 3
                # It is in no safe place yet, so no position may pass it; afterwards it may.
                assert await sink.positions() in (None, {(bad.topic, 0): 2})
                assert await sink.write([], end) == []
                assert await sink.positions() in (None, end)
                await sink.close()

        asyncio.run(go())

    def test_what_is_given_again_is_written_once_though_positions_have_passed_it(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        """As by `uns dlq retry`: it lies at its first place before what was written since, and was never written."""
        written = [delivery(downtime(n, reason=f"reason {n}"), n) for n in (0, 2)]
        late = replace(delivery(downtime(1, reason="reason 1"), 1), again=("uns-internal.acme.retry", 0, 0))

        async def go() -> None:
            with type(self).target(request) as target:
                sink = self.build(target.config, tmp_path)
                await sink.open()
                assert await sink.write(written, {(late.topic, 0): 3}) == []
                assert "reason 1" not in str(target.content())
                for _ in range(2):
                    assert await sink.write([late], {}) == []
                    if isinstance(sink, Gathers):
                        await sink.flush()
                    once = target.content()
                    assert [str(once).count(f"reason {n}") > 0 for n in range(3)] == [True] * 3
                await sink.close()
                second = self.build(target.config, tmp_path)
                await second.open()
                positions = await second.positions()
                assert positions is None or positions[late.topic, 0] == 3
                assert await second.write([late], {}) == []
                if isinstance(second, Gathers):
                    await second.flush()
                assert target.content() == once
                await second.close()

        asyncio.run(go())

    def test_whatever_a_record_says_it_is_written_or_rejected_alone(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        with type(self).target(request) as target, asyncio.Runner() as runner:
            sink = self.build(target.config, tmp_path)
            runner.run(sink.open())

            @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
            @given(TEXTS, TEXTS)
            def fuzz(reason: str, path: str) -> None:
                hostile = delivery(downtime(1, reason=reason, path=path), 1)
                plain = delivery(downtime(2), 2)
                refusals = runner.run(sink.write([hostile, plain], {(plain.topic, 0): 3}))
                assert [refusal.delivery for refusal in refusals] in ([], [hostile])
                for refusal in refusals:
                    assert isinstance(refusal, Rejected)
                    assert re.fullmatch(LABEL, refusal.reason), refusal.reason
                    check_sendable(refusal.message, "message")

            fuzz()
            assert "jam" in str(target.content())
            runner.run(sink.close())

    def test_a_path_that_left_the_plant_is_removed_once_and_the_rest_stays(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        if not self.spec.takes_removals:
            pytest.skip("the sink is not told of removals")
        gone, stays = PATH, PATH.replace("filler", "capper")
        written = [delivery(downtime(n, path=path), n) for n, path in enumerate((gone, stays))]

        async def go() -> None:
            with type(self).target(request) as target:
                sink = self.build(target.config, tmp_path)
                await sink.open()
                assert await sink.write(written, {}) == []
                assert await sink.write([removal(gone, 7)], {}) == []
                once = target.content()
                assert "capper" in str(once)
                assert await sink.write([removal(gone, 7)], {}) == []
                assert target.content() == once
                assert await sink.write([delivery(downtime(9, path=gone), 9)], {}) == [], "it may come back"
                await sink.close()

        asyncio.run(go())

    def test_what_it_wrote_reads_back_as_it_is_wanted(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        verification = self.spec.verification
        if verification is None:
            pytest.skip("the sink cannot be read back")
        deliveries = [delivery(downtime(n), n) for n in range(5)]
        deliveries.append(delivery(downtime(3, revision=1, reason="drive"), 5))

        async def go() -> None:
            with type(self).target(request) as target:
                config = self.spec.config.model_validate(target.config)
                sink = self.build(target.config, tmp_path)
                await sink.open()
                assert await sink.write(deliveries, {}) == []
                wanted: dict[str, Wanted] = {}
                for each in deliveries:
                    for one in verification.wanted(config, each):
                        if one.key not in wanted or one.revision >= wanted[one.key].revision:
                            wanted[one.key] = one
                assert wanted
                spans: tuple[tuple[int, int, list[Wanted]], ...] = (
                    (0, T + 10**12, list(wanted.values())),
                    (T - 10**9, T, []),
                )
                for begin, end, expected in spans:
                    found = verification.found("contract", config, tmp_path, begin, end, partial(iter, expected))
                    told = sorted([(one.key, one.digest) async for one in found])
                    assert told == sorted((one.key, one.digest) for one in expected)
                assert await sink.write([delivery(downtime(9), 9)], {}) == [], "reading back disturbs no sink"
                await sink.close()

        asyncio.run(go())

    def test_open_after_open_and_close_after_close(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        async def go() -> None:
            with type(self).target(request) as target:
                sink = self.build(target.config, tmp_path)
                await sink.close()
                await sink.open()
                await sink.open()
                assert await sink.write([delivery(downtime(1), 0)], {}) == []
                await sink.close()
                await sink.close()
                await sink.open()
                await sink.close()

        asyncio.run(go())


def sink_contract(kind: str, target: OpenTarget, away: Away) -> type[SinkContract]:
    """The suite for a registered kind: assign it to a name that begins with `Test` in a test module."""
    return type(
        f"Test{kind.title()}Contract",
        (SinkContract,),
        {"kind": kind, "target": staticmethod(target), "away": staticmethod(away)},
    )
