"""A target that was written to, then spoiled by another hand, and what `uns sink verify` says of it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sinks.base import Delivery, Gathers
from uns.model.components import sink_spec
from uns.runners.sink.comparison import Comparison, Difference

EVER = 2**52


class Verified:
    """One sink of a kind, its deliveries, and the comparison of both."""

    def __init__(self, kind: str, config: dict[str, Any], folder: Path) -> None:
        self._spec = sink_spec(kind)
        self._config = self._spec.config.model_validate(config)
        self._folder = folder
        assert self._spec.verification is not None
        self._verification = self._spec.verification

    def write(self, deliveries: Sequence[Delivery]) -> None:
        """All of them; nothing may be refused."""

        async def go() -> None:
            sink = self._spec.build("spoiled", self._config, self._folder)
            await sink.open()
            assert await sink.write(deliveries, {}) == []
            if isinstance(sink, Gathers):
                await sink.flush()
            await sink.close()

        asyncio.run(go())

    def differences(
        self, deliveries: Sequence[Delivery], begin: int = 0, end: int = EVER
    ) -> tuple[int, list[Difference], int]:
        """(how many are wanted, what differs, how many are there that nobody wants)."""
        self._folder.mkdir(parents=True, exist_ok=True)
        comparison = Comparison(self._folder)

        async def go() -> None:
            for delivery in deliveries:
                for each in self._verification.wanted(self._config, delivery):
                    if begin <= each.at < end:
                        comparison.want(each, False)
            found = self._verification.found("spoiled", self._config, self._folder, begin, end, comparison.wanted)
            async for one in found:
                comparison.find(one)

        try:
            asyncio.run(go())
            return comparison.count(), list(comparison.differences(10)), comparison.beyond()
        finally:
            comparison.close()


def told_of(verified: Verified, deliveries: Sequence[Delivery], spoil: Callable[[], None]) -> list[tuple[str, str]]:
    """(kind of difference, key): none as it was written, and those that `spoil` makes."""
    verified.write(deliveries)
    count, differences, _ = verified.differences(deliveries)
    assert count > 100
    assert differences == []
    spoil()
    again, differences, _ = verified.differences(deliveries)
    assert again == count
    return [(each.kind, each.key) for each in differences]
