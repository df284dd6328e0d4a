"""What a connector is: the one interface and what passes through it. A connector knows nothing of Kafka."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

import msgspec
from pydantic import BaseModel, ConfigDict

from schemas.records import Fact, Sample, Value
from topology.namespace.path import Path


class ConnectorConfig(BaseModel):
    """Base of every connector's configuration: frozen, unknown keys refused, errors without the input: it may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


TimeOf = Literal["source", "server", "arrival"]


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One value of one tag of one path."""

    path: Path
    sample: Sample
    time_of: TimeOf = "source"
    """Whose time `sample.at` is: the source's own; where it gave none that can be one, the server's, then our clock's."""
    ahead: bool = False
    """Whether older values of this tag may still come: what is safe does not reach to this one yet."""


@dataclass(frozen=True, slots=True)
class FactReading:
    """An order, lot, shift, reason, gap, inspection or acknowledgement for a path."""

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
    """What a source said in one go. `ack` is awaited once Kafka has all of it, and never before.

    `caught_up`: paths of which the source has now told all that it said since it was last heard, by a history for example:
    what the runner said of a gap there is taken back.
    """

    readings: tuple[Reading, ...] = ()
    facts: tuple[FactReading, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    ack: Callable[[], Awaitable[None]] = nothing_to_acknowledge
    reached: Mapping[tuple[Path, str], "Safe"] = field(default_factory=dict)
    """Tags of which readings were told as `ahead`: now all is told up to this value."""
    caught_up: tuple[Path, ...] = ()
    missed: Mapping[tuple[Path, str], "Span"] = field(default_factory=dict)
    """Tags of which values are gone that the source had: it dropped them, or does not know them any more. It is no unit of
    the ledger: the runner makes gaps of it."""
    cursor: Mapping[str, "Position | None"] = field(default_factory=dict)
    """Of a source that keeps what it says, or counts it (a file, a table, a partition): by a name of the connector's, where it
    is to be read on from once this batch is safe; None: that name is forgotten. Kept with the batch, all or nothing."""

    @classmethod
    def of(
        cls,
        said: Iterable[Said],
        ack: Callable[[], Awaitable[None]] = nothing_to_acknowledge,
        cursor: Mapping[str, "Position | None"] | None = None,
    ) -> "Batch":
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
        return cls(tuple(readings), tuple(facts), tuple(malformed), ack, cursor=cursor or {})

    def __len__(self) -> int:
        return len(self.readings) + len(self.facts) + len(self.malformed)


Position = int | bytes
"""Of a cursor: an offset, or whatever else a connector knows its place by."""


class SourceUnavailable(Exception):
    """The source cannot be reached or dropped the connection; the runner reopens with back-off. Says which and what to do."""


class Safe(NamedTuple):
    """The newest value of a tag that is safe in the spool or in Kafka."""

    at: int
    """µs, its source time."""
    value: Value = None
    quality: int | None = None
    """None: the value is not known, from a spool of an older release."""


class Span(NamedTuple):
    """A stretch of source time, in µs, and why nothing is known of it: the cause of a gap."""

    first: int
    last: int
    cause: str = "overflow"

    def joined(self, other: "Span | None") -> "Span":
        """The stretch that holds both."""
        return self if other is None else Span(min(self.first, other.first), max(self.last, other.last), self.cause)


Resume = Mapping[tuple[Path, str], Safe]
"""By path and tag: where a history read begins, and by which a present value is recognised as known."""


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

    def problems(self) -> Sequence[str]:
        """What of an open source is not read, or not as asked: a few short sentences, each names what and why."""
        ...


@runtime_checkable
class Keeps(Protocol):
    """What a connector has beside, whose source keeps what it says while nobody listens."""

    def kept(self) -> bool:
        """After `open`: whether the source has kept all since the connection before, and gives it now. False: it has lost
        it."""
        ...


@runtime_checkable
class Resumes(Protocol):
    """What a connector has beside, whose batches have a `cursor`: so nothing is read twice, whenever it was killed."""

    def resume_at(self, cursor: Mapping[str, Position]) -> None:
        """Called before `open`: what is safe reaches to here. Empty where nothing was read yet, or the spool is new."""
        ...


@runtime_checkable
class Proves(Protocol):
    """What a connector has beside, that knows how old the last proof of its link is."""

    def unproved_s(self) -> float:
        """Seconds since the source last answered or said anything."""
        ...


@runtime_checkable
class Relinks(Protocol):
    """What a connector has beside, that opens a link anew by itself: one of several, or by its library."""

    def relinked(self) -> Sequence[BaseException]:
        """What had ended each link that was opened again since this was last asked, as far as it is remembered."""
        ...


RELINKED_MAX = 1_000
"""Links opened again that are remembered until they are asked for."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a source has and that can be a tag."""

    address: str
    """As the configuration names it."""
    tag: str
    """The tag that it would be."""
    machine: str | None = None
    """What it belongs to, in the source's own words; None: the source does not say."""
    type: str = ""
    """Its data type, in the source's own words."""
    unit: str | None = None
    description: str = ""
    sample: Value = None
    """Its present value, where it is cheap to have."""
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the folds would read of it, as the `tags` of an equipment type have it: its tag, or one of a part of it → role.
    Only where the source's own model says so."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that a source has and that is not listed: what, and why."""

    what: str


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
    browse: Callable[[ConfigT], AsyncIterator[Found | LeftOut]] | None = None
    """What a source has, told as it is found: a generator that the caller may end at any time. It connects by itself with
    what the configuration says of address and security, and raises `SourceUnavailable`. None: the source cannot say."""
    listing: Callable[[ConfigT, Mapping[str, Sequence[Found]]], str] | None = None
    """The YAML, from the margin on, of the keys of a configuration that read these: path of a machine → what of it. With
    `browse` only."""
    every_s: Callable[[ConfigT], float | None] = field(default=lambda _config: None)
    """Of a source that speaks in cycles the longest time between two values of a machine while all is well; None: it may be
    silent by nature, as it speaks when something changes."""
