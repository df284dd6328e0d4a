"""What a sink is: the one interface and what passes through it. A sink knows nothing of Kafka but positions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from schemas.records import Record
from topology.classes import MessageClass


class SinkConfig(BaseModel):
    """Base of every sink's configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record on its way to a target."""

    topic: str
    partition: int
    offset: int
    key: str
    message_class: MessageClass
    record: Record
    ingested_at: int
    """Kafka timestamp in µs."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that the target refuses for good, in the target's own words; it goes to quarantine and the rest goes on."""

    delivery: Delivery
    reason: str
    """A bounded label for metrics, e.g. `http_422`."""
    message: str


class Retryable(Exception):
    """The target is away or busy; the runner backs off and writes the same records again, in order."""


Positions = Mapping[tuple[str, int], int]
"""(topic, partition) → next offset."""


class Sink(Protocol):
    """`write` returning means durable, for every record that it did not return as rejected. Raises `Retryable`.

    Writing a record twice must leave the target as writing it once: the runner repeats whatever a crash left unsaid.
    """

    async def open(self) -> None: ...
    async def positions(self) -> Positions:
        """Offsets that the target itself keeps in the same transaction as the data; {} when the group's are used."""
        ...

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Rejected]:
        """`positions`: next offsets once this call is durable, for targets that keep them."""
        ...

    async def close(self) -> None: ...


ConfigT = TypeVar("ConfigT", bound=SinkConfig)


@dataclass(frozen=True)
class SinkSpec(Generic[ConfigT]):
    """How a kind of target registers itself: entry point group `uns.sinks`, name = the kind."""

    config: type[ConfigT]
    build: Callable[[str, ConfigT, FilePath], Sink]
    """(sink name, configuration, folder for local state) → sink; must not connect."""
    summary: str
