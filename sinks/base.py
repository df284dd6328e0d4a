"""What a sink is: the one interface and what passes through it. A sink knows nothing of Kafka but positions."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from schemas.records import Record
from topology.namespace.classes import MessageClass


class SinkConfig(BaseModel):
    """Base of every sink's configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)  # an input may be a secret


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


@dataclass(frozen=True, slots=True)
class Deferred:
    """A record that cannot be written for the time being, while others can. The runner brings it again, and holds back
    what comes behind it under the same key."""

    delivery: Delivery
    message: str
    wait_s: float = 0.0
    """Not before."""


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A record that says something new of an object, where the configuration has no request for it: counted, and done."""

    delivery: Delivery
    message: str


Unwritten = Rejected | Deferred | LeftBehind


class Retryable(Exception):
    """The target is away or busy; the runner backs off and writes the same records again, in order.

    `progressed`: some of them are durable by now, so that the back-off begins anew. `wait_s`: what the target asks for.
    """

    def __init__(self, message: str, progressed: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.progressed, self.wait_s = progressed, wait_s


class Taken(Retryable):
    """`open`: another instance writes to the target. It gets the records only when this one lets go of them."""


Positions = Mapping[tuple[str, int], int]
"""(topic, partition) → next offset."""


class Sink(Protocol):
    """`write` returning means durable, for every record that it did not return as unwritten. Raises `Retryable`.

    Writing a record twice must leave the target as writing it once: the runner repeats whatever a crash left unsaid.
    """

    async def open(self) -> None: ...
    async def positions(self) -> Positions | None:
        """Offsets that the target itself keeps in the same transaction as the data; a partition that it does not know is
        read from the beginning. None: it keeps none, and the consumer group's are used."""
        ...

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        """`positions`: next offsets once this call is durable, for targets that keep them. They must not pass a record
        that this call rejects: it is in no safe place yet. Once it is, the runner calls again with the same positions
        and no deliveries. Who keeps positions defers nothing."""
        ...

    async def close(self) -> None: ...


ConfigT = TypeVar("ConfigT", bound=SinkConfig)


@dataclass(frozen=True)
class Trial(Generic[ConfigT]):
    """What `uns sink try` shows of one record, as JSON values."""

    tell: Callable[[ConfigT, Delivery], list[dict[str, Any]]]
    """What would go out; nothing of a record that the sink passes over. Pure."""
    send: Callable[[str, ConfigT, FilePath, Delivery], Awaitable[list[dict[str, Any]]]]
    """What went out, was answered, and how that was judged; as `build` takes it. Raises `Retryable`."""


@dataclass(frozen=True)
class SinkProfile:
    """Options for a known system, that a configuration takes by `profile: NAME` and may change one by one."""

    name: str
    system: str
    purpose: str
    kind: str
    classes: tuple[str, ...]
    checked: tuple[str, ...]
    """What it rests on, each in words."""
    open: tuple[str, ...]
    """What nobody has checked."""
    before: str
    """What has to be done in the system first."""
    start: dict[str, Any]
    """The least configuration."""


@dataclass(frozen=True)
class SinkSpec(Generic[ConfigT]):
    """How a kind of target registers itself: entry point group `uns.sinks`, name = the kind."""

    config: type[ConfigT]
    build: Callable[[str, ConfigT, FilePath], Sink]
    """(sink name, configuration, folder for local state) → sink; must not connect."""
    summary: str
    trial: Trial[ConfigT] | None = None
    profiles: Callable[[], Iterable[SinkProfile]] = tuple
