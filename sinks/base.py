"""What a sink is: the one interface and what passes through it. A sink knows nothing of Kafka but positions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from schemas.records import Derived, Inputs, Record
from topology.model.plant import Plant
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
    again: tuple[str, int, int] | None = None
    """Where `uns dlq retry` gave it again: (topic, partition, offset) of that."""

    @property
    def heard_at(self) -> tuple[str, int, int]:
        """(topic, partition, offset) at which the runner read it: a sink that knows by places what it has written goes by
        these, for a record that is given again lies, at its first place, before all that was written since."""
        return self.again or (self.topic, self.partition, self.offset)


class Removed(Derived, frozen=True, gc=False, kw_only=True):
    """In place of a record of class `current`: its path is no longer one of the plant, and what a target shows of it as
    being so now has to go; history stays. Only a sink whose `SinkSpec.takes_removals` says so is given one.

    It stands in the order of the log: a path that comes back later is a record again. Records of the path in other
    classes lie in other topics, and may come before or after it. No such record is in Kafka, where it is a key without a
    value; id, times and revision say which.
    """

    message_class = MessageClass.CURRENT.value

    @classmethod
    def at(cls, path: str, topic: str, partition: int, offset: int, ingested_at: int) -> "Removed":
        """Told by the tombstone at this place of the log."""
        return cls(
            id=f"{path}#removed@{ingested_at}:0",
            path=path,
            started_at=ingested_at,
            ended_at=ingested_at,
            definition="",
            status="final",
            revision=0,
            inputs=Inputs(topic, partition, offset, offset),
        )


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
    """`write` returning means durable, for every record that it did not return as unwritten (but see `Gathers`). Raises
    `Retryable`.

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


@runtime_checkable
class Unsure(Protocol):
    """A sink that may not know what became of a request."""

    def unclear(self) -> int:
        """How many requests have an outcome that nobody knows yet. Asked between two calls of `write`; quick."""
        ...


@runtime_checkable
class Gathers(Protocol):
    """A sink that keeps positions of its own and commits many calls of `write` at once: for it, returning means taken, not
    durable. What it has taken outlives a `close` and `open` of the same object, and is lost with the process alone, whose
    successor begins where `positions` says. The group's offsets follow `durable`, and when nothing comes the runner calls
    `write([], {})` from time to time, so that what was taken is committed in its time.
    """

    def durable(self) -> Positions:
        """As far as the target has it."""
        ...

    async def flush(self) -> None:
        """Makes durable what was taken. Raises `Retryable`."""
        ...


ConfigT = TypeVar("ConfigT", bound=SinkConfig)


@dataclass(frozen=True)
class Trial(Generic[ConfigT]):
    """What `uns sink try` shows of one record, as JSON values."""

    tell: Callable[[ConfigT, Delivery], list[dict[str, Any]]]
    """What would go out; nothing of a record that the sink passes over. Pure."""
    send: Callable[[str, ConfigT, FilePath, Delivery], Awaitable[list[dict[str, Any]]]]
    """What went out, was answered, and how that was judged; as `build` takes it. Raises `Retryable`."""


class Wanted(NamedTuple):
    """What a target should hold of a record: a row, a point, an object."""

    key: str
    """Names it in the target; for people, too."""
    at: int
    """Event time, µs UTC: whether it is in the span that is verified."""
    revision: int
    """Of two with one key the greater one stays, of equal ones the later in the log."""
    digest: int
    """Of its values (`sinks.kit.digest`)."""
    optional: bool = False
    """It may be there or not: the configuration has no request for it any more."""
    hint: bytes = b""
    """For `found`, where a target has to be asked for each."""


class Found(NamedTuple):
    """What a target holds; once for every time that it holds it."""

    key: str
    digest: int
    words: str = ""
    """What is different, where that is known."""
    unsure: bool = False
    """Nothing can be said of this key: what is there is newer than the span, or is meant to be gone by now."""


def _nothing(_config: Any) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Verification(Generic[ConfigT]):
    """How `uns sink verify` compares a target with its topics. Neither side is held in memory."""

    wanted: Callable[[ConfigT, Delivery], Iterable[Wanted]]
    """What one record should have made of the target. Pure."""
    found: Callable[[str, ConfigT, FilePath, int, int, Callable[[], Iterator[Wanted]]], AsyncIterator[Found]]
    """(sink name, configuration, folder for local state, begin, end, what is wanted) → all that the target holds with an
    event time in [begin, end), µs UTC, in any order; of a target that cannot be listed, what it says when it is asked for
    each. Writes nothing, takes no lock that the running sink needs. Raises `Retryable`."""
    left_out: Callable[[ConfigT], Iterable[str]] = _nothing
    """What of such a target is not compared, a sentence each."""


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
    takes_removals: bool = False
    """Whether it is told of paths that leave the plant, by a `Removed`; then also where it does not subscribe `current`."""
    trial: Trial[ConfigT] | None = None
    verification: Verification[ConfigT] | None = None
    unreadable: str = ""
    """Why there is no `verification`, as a sentence."""
    knows: Callable[[Any, Plant], None] | None = None
    """Tells a sink that was built of the plant model, where its target says more of places and tags than records do."""
    profiles: Callable[[], Iterable[SinkProfile]] = tuple
