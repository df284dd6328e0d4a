"""What a connector has said so far, each among its kind."""

from dataclasses import dataclass, field
from typing import Any

from connectors.base import Batch, FactReading, Malformed, Reading, Said


@dataclass
class Heard:
    """Batches, in their order."""

    batches: list[Batch] = field(default_factory=list)

    @property
    def said(self) -> list[Said]:
        things: list[Said] = []
        for batch in self.batches:
            things += [*batch.readings, *batch.facts, *batch.malformed]
        return things

    @property
    def values(self) -> list[Any]:
        return [thing.sample.value for thing in self.said if isinstance(thing, Reading)]

    @property
    def facts(self) -> list[Any]:
        return [thing.fact for thing in self.said if isinstance(thing, FactReading)]

    @property
    def malformed(self) -> list[Malformed]:
        return [thing for thing in self.said if isinstance(thing, Malformed)]
