"""Continuity of an agent's sequence: where to read on, what was lost, what came twice, all in the order of sequence. Pure."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from connectors.mtconnect.codec import Observation, Streams

Broken = Literal["restarted", "overrun"]
"""Why a sequence does not go on: the agent began anew, or its buffer had no room for what we had not read yet."""


class Position(NamedTuple):
    """Up to where an agent was read."""

    instance: int | None
    next: int


class Met(NamedTuple):
    """What follows from an agent's `current`, once it answers again."""

    position: Position
    seed: tuple[Observation, ...]
    """What is present and stands before `position`, in the order of sequence: it is in the buffer no more."""
    news: int
    """From which sequence on the seed is told; what stands before was told already."""
    broken: Broken | None
    lost: int
    """Sequence numbers that the buffer has no more; of a restarted agent, of its new sequence."""
    until: int
    """Read up to here, all is told that the agent had when it was met."""


class Followed(NamedTuple):
    """What follows from the next document of a sequence."""

    position: Position
    observations: tuple[Observation, ...]
    """What is new of it."""
    restarted: bool = False
    """Nothing of the document is taken: the agent is to be met anew."""
    lost: int = 0
    """Sequence numbers between the position and this document that the buffer has no more."""
    doubled: int = 0
    """Observations that were read before."""


def ordered(observations: Iterable[Observation], begin: int = 0, end: int | None = None) -> tuple[Observation, ...]:
    """In the order of sequence, from `begin` to before `end`, each once: documents group them by component."""
    found = {
        (observation.sequence, observation.item): observation
        for observation in observations
        if begin <= observation.sequence and (end is None or observation.sequence < end)
    }
    return tuple(found[key] for key in sorted(found))


def met(position: Position | None, current: Streams, whole: bool) -> Met:
    """`position`: up to where this process has read, None at first; then `whole` says whether all that the buffer has is
    wanted, or the present alone."""
    instance, following = current.header.instance, _end(current)
    if position is None and not whole:
        return Met(Position(instance, following), ordered(current.observations), 0, None, 0, following)
    oldest = _oldest(current, following)
    broken: Broken | None = None
    if position is not None and (position.instance != instance or position.next > following):
        broken, position = "restarted", None
    if position is None:
        seed = ordered(current.observations, 0, oldest)
        return Met(Position(instance, oldest), seed, 0, broken, oldest - 1 if broken else 0, following)
    if position.next < oldest:
        seed, lost = ordered(current.observations, 0, oldest), oldest - position.next
        return Met(Position(instance, oldest), seed, position.next, "overrun", lost, following)
    return Met(position, (), 0, None, 0, following)


def followed(position: Position, document: Streams) -> Followed:
    """The next document: what is new of it. A hole is counted, and the new position is behind it."""
    header = document.header
    if header.instance != position.instance or (header.next is not None and header.next < position.next):
        return Followed(position, (), restarted=True)
    new = ordered(document.observations, position.next)
    reached = max(header.next or 0, position.next, new[-1].sequence + 1 if new else 0)
    doubled = sum(observation.sequence < position.next for observation in document.observations)
    return Followed(
        Position(position.instance, reached), new, lost=max((header.first or 0) - position.next, 0), doubled=doubled
    )


def _end(current: Streams) -> int:
    """What the next observation will be; of an agent that does not say it, behind the newest that it tells."""
    newest = max((observation.sequence for observation in current.observations), default=0)
    header = current.header
    if header.last is not None:  # `next` is where to read on, which of a part of the buffer is not its end
        return max(header.last + 1, header.next or 0)
    return newest + 1 if header.next is None else header.next


def _oldest(current: Streams, following: int) -> int:
    """The oldest of the buffer; of an agent that does not say it, what its size allows."""
    header = current.header
    if header.first is not None:
        return min(max(header.first, 1), following)
    return max(following - header.buffer, 1) if header.buffer else 1
