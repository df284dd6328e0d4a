"""What a connector is: the one interface and what passes through it. A connector knows nothing of Kafka."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from schemas.records import Fact, Sample
from topology.namespace.path import Path


class ConnectorConfig(BaseModel):
    """Base of every connector's configuration: frozen, unknown keys refused, errors without the input: it may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one tag of one path."""

    path: Path
    sample: Sample


@dataclass(frozen=True, slots=True)
class FactReading:
    """An order, lot, shift, reason, inspection or acknowledgement for a path."""

    path: Path
    fact: Fact


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something the source said that is no reading. It goes to quarantine with its bytes unchanged."""

    origin: str
    """Where it came from in the source's terms: an MQTT topic, a node id."""
    payload: bytes
    reason: str
    """A bounded label for metrics, e.g. `bad_json`."""
    message: str
    """What is wrong and what to do."""
    path: Path | None = None


Said = Reading | FactReading | Malformed
"""One thing that a source said."""


async def nothing_to_acknowledge() -> None:
    """The `ack` of a source that has none."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a source said in one go. `ack` is awaited once Kafka has all of it, and never before."""

    readings: tuple[Reading, ...] = ()
    facts: tuple[FactReading, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    ack: Callable[[], Awaitable[None]] = nothing_to_acknowledge

    @classmethod
    def of(cls, said: Iterable[Said], ack: Callable[[], Awaitable[None]] = nothing_to_acknowledge) -> "Batch":
        """The batch of these things, each among its kind, in their order."""
        readings: list[Reading] = []
        facts: list[FactReading] = []
        malformed: list[Malformed] = []
        for thing in said:
            match thing:
                case Reading():
                    readings.append(thing)
                case FactReading():
                    facts.append(thing)
                case Malformed():
                    malformed.append(thing)
        return cls(tuple(readings), tuple(facts), tuple(malformed), ack)

    def __len__(self) -> int:
        return len(self.readings) + len(self.facts) + len(self.malformed)


class SourceUnavailable(Exception):
    """The source cannot be reached or dropped the connection; the runner reopens with back-off. Says which and what to do."""


Resume = Mapping[tuple[Path, str], int]
"""Newest source time (µs) already safe in the spool or in Kafka, by path and tag: where a history read begins."""


class Connector(Protocol):
    """One connection to one source. `open` and `batches` raise `SourceUnavailable`; anything else they raise is a bug.

    `open` connects, or raises within its own time-out. `batches` yields until the source is lost or the task is
    cancelled; it must notice a dead link by itself (a keep-alive or a probe), because `healthy` is believed.
    Un-acked batches come again after a reopen where the protocol can do that. `close` may be called at any time, twice too.
    """

    async def open(self, resume: Resume) -> None: ...
    def batches(self) -> AsyncIterator[Batch]: ...
    async def close(self) -> None: ...
    def healthy(self) -> bool:
        """Whether a sample moved or the source answered a probe within the protocol's own keep-alive time."""
        ...


ConfigT = TypeVar("ConfigT", bound=ConnectorConfig)


@dataclass(frozen=True)
class ConnectorSpec(Generic[ConfigT]):
    """How a protocol registers itself: entry point group `uns.connectors`, name = the protocol."""

    config: type[ConfigT]
    build: Callable[[str, ConfigT], Connector]
    """(connector name, configuration) → connector; must not connect."""
    summary: str
    paths: Callable[[ConfigT], tuple[Path, ...]] = field(default=lambda _config: ())
    """The literal paths a configuration publishes, for lint."""
