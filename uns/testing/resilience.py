"""What every connector must do as the runner runs it: read on after a cut, count it, and say which machine is silent."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path as FilePath
from typing import Any, ClassVar

import pytest

from connectors.base import ConnectorSpec
from uns.testing.link import relayed, watched
from uns.testing.patience import patient
from uns.testing.source import DEADLINE_S, T0, Source


class ResilienceContract:
    """The part of the suite for connectors that needs the runner's way of reading, and a link that can be cut."""

    protocol: ClassVar[str]
    source: ClassVar[Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Source]]]
    cut_by_relay: ClassVar[bool]

    @property
    def spec(self) -> ConnectorSpec[Any]:
        """What the connector registered."""
        raise NotImplementedError

    def test_a_link_that_was_cut_is_opened_again_and_counted(
        self, request: pytest.FixtureRequest, tmp_path: FilePath
    ) -> None:
        async def go() -> None:
            async with type(self).source(request) as source, relayed(source.config) as (config, links):
                if not links or not type(self).cut_by_relay:
                    pytest.skip("no link over TCP that a relay could cut")
                async with watched(self.protocol, self.spec, config, source.path, tmp_path) as one:
                    await one.until(one.source.up, patient(DEADLINE_S), "not opened")
                    await source.say("State", T0, 1)
                    await one.until(partial(one.has, "State", 1), patient(DEADLINE_S), "nothing was read")
                    assert one.source.health().connected
                    for link in links:
                        await link.cut()
                    await one.until(
                        lambda: one.source.reopened or not one.source.up(), patient(DEADLINE_S), "not noticed"
                    )
                    for link in links:
                        await link.mend()
                    await one.until(one.source.up, patient(2 * DEADLINE_S), "not opened again")
                    await source.say("State", T0 + 1000, 2)
                    await one.until(partial(one.has, "State", 2), patient(2 * DEADLINE_S), "not read on")
                    health = one.source.health()
                    assert health.reconnects
                    assert sum(health.errors.values()), "an error of a kind is counted for each link that was lost"

        asyncio.run(go())

    def test_a_machine_that_falls_silent_is_stale_and_is_not_once_it_speaks(
        self, request: pytest.FixtureRequest, tmp_path: FilePath
    ) -> None:
        async def go() -> None:
            async with type(self).source(request) as source:
                if getattr(source, "polled", False):
                    pytest.skip("what is asked again and again is not silent while it answers")
                rule = {"stale_after_s": 1}
                async with watched(self.protocol, self.spec, source.config, source.path, tmp_path, **rule) as one:
                    await one.until(one.source.up, patient(DEADLINE_S), "not opened")
                    await source.say("State", T0, 1)
                    await one.until(partial(one.has, "State", 1), patient(DEADLINE_S), "nothing was read")
                    await one.until(one.stale, patient(DEADLINE_S), "silent, and not said to be stale")
                    assert one.source.health().connected, "its source is there all the same"
                    assert any(str(source.path) in problem for problem in one.source.problems())
                    for n in range(1, 1_000):
                        await source.say("State", T0 + n * 1000, n + 1)
                        await one.until(partial(one.has, "State", n + 1), patient(DEADLINE_S), "not read on")
                        if not one.stale():
                            return
                    raise AssertionError("it speaks, and is said to be stale")

        asyncio.run(go())
