"""The metrics that an edge node has told in its births, and what a message says of them. Pure; it never asks the clock."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Malformed, Reading, Said, Span, TimeOf
from connectors.kit.message import MESSAGE_MAX
from connectors.kit.payloads import BadPayload
from connectors.sparkplug.codec import NO_COMMUNICATION, name_of, quality_of, time_of
from connectors.sparkplug.places import Place, Places
from connectors.sparkplug.values import LEAVES_MAX, Leaf, is_plain, leaves, scalar
from schemas.records import Sample, Value
from topology.namespace.path import Path
from topology.sparkplug.topics import BD_SEQ

CONTROL = ("Node Control/", "Device Control/")
"""Metrics by which a host commands: they are no values of a machine. Nor is bdSeq."""
METRICS_MAX = 200_000
"""Metrics of one connector."""
HELD_MAX_BYTES = 32_000_000
NO_BIRTH, UNKNOWN_ALIAS = "no_birth", "unknown_alias"
"""Reasons of what a birth would have to explain."""


class Tag:
    """One value that goes to the namespace: when it last said something, and since when it is stale (µs)."""

    __slots__ = ("at", "datatype", "path", "stale_at", "tag")

    def __init__(self, path: Any, tag: str, datatype: int) -> None:
        self.path, self.tag, self.datatype = path, tag, datatype
        self.at = 0
        self.stale_at: int | None = None


@dataclass
class Room:
    """How many metrics, values inside them and devices may still be remembered, of all edge nodes together."""

    left: int = METRICS_MAX
    held_bytes_left: int = HELD_MAX_BYTES
    """Of messages that wait for those before them."""

    def take(self) -> None:
        """Raises `BadPayload` where there is no more."""
        if self.left <= 0:
            raise BadPayload("too_many", f"more than {METRICS_MAX} metrics; read fewer by `sources`")
        self.left -= 1


class Metric:
    """A metric by its name. `place` None: nobody asked for it."""

    __slots__ = ("_room", "datatype", "name", "place", "tags")

    def __init__(self, name: str, place: Place | BadPayload | None, room: Room) -> None:
        room.take()
        self.name, self.place, self._room = name, place, room
        self.datatype = 0
        self.tags: dict[str, Tag] = {}
        """By the name of the value inside it, empty for the one value of a plain metric."""

    def tag(self, leaf: str, datatype: int) -> Tag:
        """Raises `BadPayload` for one more than are remembered."""
        found = self.tags.get(leaf)
        if found is None:
            if len(self.tags) >= LEAVES_MAX:
                raise BadPayload("too_many", f"more than {LEAVES_MAX} names of values inside it")
            self._room.take()
            assert isinstance(self.place, Place)
            found = self.tags[leaf] = Tag(self.place.path, self.place.tag + leaf, datatype)
        elif datatype:
            found.datatype = datatype
        return found

    def known(self, leaf: str) -> int:
        """The datatype that was last said of a value inside it; 0: none."""
        found = self.tags.get(leaf)
        return 0 if found is None else found.datatype

    def forget(self) -> None:
        self._room.left += 1 + len(self.tags)


NOT_READ = Metric("", None, Room())
"""Stands for bdSeq and all control metrics."""


@dataclass
class _Scope:
    """The metrics of the edge node itself, or of one device."""

    born: bool = False
    names: dict[str, Metric] = field(default_factory=dict)
    aliases: dict[int, Metric | None] = field(default_factory=dict)
    """None: two metrics of one birth have it, so it says nothing."""


@dataclass(frozen=True, slots=True)
class Message:
    """A payload with its surroundings: where it came from, as bytes too, and when (µs)."""

    topic: str
    device: str | None
    data: bytes
    payload: Any
    arrived: int

    @property
    def at(self) -> int | None:
        """When the edge node sent it."""
        return time_of(self.payload)

    def malformed(self, reason: str, words: str, part: Any = None, path: Any = None) -> Malformed:
        """Of the whole message, or of one part of it."""
        data = self.data if part is None else bytes(part.SerializeToString())
        return Malformed(self.topic, data, reason, f"{self.topic}: {words}"[:MESSAGE_MAX], path)


class Metrics:
    """All metrics of one edge node, its devices' too."""

    def __init__(self, places: Places, group: str, node: str, room: Room) -> None:
        self._places, self._group, self._node, self._room = places, group, node, room
        self._scopes: dict[str | None, _Scope] = {}
        self.lacking = False
        """Whether something came that only a birth can explain. Who looks at it takes it back."""

    # -- births and deaths -------------------------------------------------------------------------------------

    def born(self, message: Message) -> list[Said]:
        """A birth of the edge node, which ends what all its devices said before, or of one device."""
        if message.device is None:
            for scope in self._scopes.values():
                scope.born, scope.aliases = False, {}
        try:
            scope = self._scope(message.device)
        except BadPayload as bad:
            return [message.malformed(bad.reason, str(bad))]
        before, scope.names, scope.aliases, scope.born = scope.names, {}, {}, True
        said: list[Said] = []
        for metric in message.payload.metrics:
            try:
                name = name_of(metric)
                if _of_a_machine(name):
                    known = self._introduced(scope, before, name, metric, message.device)
                else:
                    known = NOT_READ  # what comes by its alias is known, too
                if metric.HasField("alias") and not _aliased(scope, metric.alias, known):
                    said.append(message.malformed("alias_twice", f"alias {metric.alias} stands twice in it", metric))
                said += _read(known, metric, message)
            except BadPayload as bad:
                said.append(message.malformed(bad.reason, str(bad), metric))
        for gone in before.values():
            said += _stale(gone, message.at or message.arrived, "server" if message.at else "arrival")
            gone.forget()
        return said

    def _introduced(
        self, scope: _Scope, before: dict[str, Metric], name: str, metric: Any, device: str | None
    ) -> Metric:
        """Takes in a metric of a birth. Raises `BadPayload`."""
        if not name:
            raise BadPayload("no_name", "a metric of a birth has no name")
        if name in scope.names:
            raise BadPayload("name_twice", f"{name[:80]!r} stands twice in one birth")
        known = before.pop(name, None) or self._new(name, device)
        known.datatype = metric.datatype
        scope.names[name] = known
        return known

    def _new(self, name: str, device: str | None) -> Metric:
        return Metric(name, self._places.of(self._group, self._node, device, name), self._room)

    def _scope(self, device: str | None) -> _Scope:
        """Raises `BadPayload` when there is no room for one more, dead ones forgotten."""
        scope = self._scopes.get(device)
        if scope is None:
            if self._room.left <= 0:
                self._forget_dead()
            self._room.take()
            scope = self._scopes[device] = _Scope()
        return scope

    def _forget_dead(self) -> None:
        for device in self.unborn():
            for metric in self._scopes.pop(device).names.values():
                metric.forget()
            self._room.left += 1

    def stale(self, device: str | None, at: int, time_of: TimeOf) -> list[Said]:
        """The death of a device, or what it means for it: all its values are unknown from `at` on."""
        scope = self._scopes.get(device)
        if scope is None:
            return []
        scope.born, scope.aliases = False, {}
        return [reading for metric in scope.names.values() for reading in _stale(metric, at, time_of)]

    def all_stale(self, at: int, time_of: TimeOf) -> list[Said]:
        """The death of the edge node."""
        return [said for device in self._scopes for said in self.stale(device, at, time_of)]

    def since_last(self, at: int) -> dict[tuple[Path, str], Span]:
        """Of each tag that is known the stretch from its last value to an instant: what was said meanwhile is not known."""
        tags = (
            tag for scope in self._scopes.values() for metric in scope.names.values() for tag in metric.tags.values()
        )
        return {(tag.path, tag.tag): Span(tag.at, at) for tag in tags if tag.stale_at is None and 0 < tag.at < at}

    def unborn(self) -> list[str]:
        """Devices that were known before the edge node's birth, and have none of their own since."""
        return [device for device, scope in self._scopes.items() if device is not None and not scope.born]

    # -- data --------------------------------------------------------------------------------------------------

    def data(self, message: Message, trusted: bool = True) -> list[Said]:
        """What a message of data says. `trusted` False: what came before it is not known, so only what explains itself
        (by name and datatype) is read. Anything else is told once as malformed, with the whole message.
        """
        scope = self._scopes.get(message.device)
        if scope is None or not scope.born:
            trusted = False
        said: list[Said] = []
        unread: list[str] = []
        for metric in message.payload.metrics:
            known: Metric | None
            try:
                name = name_of(metric)
                if name:
                    if not _of_a_machine(name):
                        continue
                    known = self._named(name, metric, message.device, trusted)
                else:
                    known = scope.aliases.get(metric.alias) if trusted and scope else None
                if known is None:
                    unread.append(repr(name)[:80] if name else f"alias {metric.alias}")
                elif known.place is not None:
                    said += _read(known, metric, message)
            except BadPayload as bad:
                said.append(message.malformed(bad.reason, str(bad), metric))
        if unread:
            self.lacking = True
            reason = UNKNOWN_ALIAS if trusted else NO_BIRTH
            words = f"{len(unread)} metrics that no birth explains ({', '.join(unread[:3])}); a rebirth is asked"
            said.append(message.malformed(reason, words))
        return said

    def _named(self, name: str, metric: Any, device: str | None, trusted: bool) -> Metric | None:
        """The metric of a name; one that no birth told, where it explains itself. Raises `BadPayload`."""
        scope = self._scopes.get(device)
        known = None if scope is None else scope.names.get(name)
        if known is not None and (trusted or metric.datatype):
            return known
        if not metric.datatype:
            return None
        known = self._scope(device).names[name] = self._new(name, device)
        known.datatype = metric.datatype
        return known


def _aliased(scope: _Scope, alias: int, known: Metric) -> bool:
    """Whether an alias is this metric's alone; one of two says nothing from now on."""
    alone = alias not in scope.aliases
    scope.aliases[alias] = known if alone else None
    return alone


def _of_a_machine(name: str) -> bool:
    return name != BD_SEQ and not name.startswith(CONTROL)


def _read(known: Metric, metric: Any, message: Message) -> Iterator[Said]:
    """The values of a metric that has a place, each bad one by itself."""
    place = known.place
    if not isinstance(place, Place):
        if place is not None:
            yield message.malformed(place.reason, f"{known.name[:80]!r}: {place}", metric)
        return
    try:
        quality = quality_of(metric)
        at, whose = _time(metric, message)
        for name, datatype, value in _values(known, metric):
            if isinstance(value, BadPayload):
                words = f"{known.name[:80]!r}, {name[1:80]}: {value}"
                yield message.malformed(value.reason, words, metric, place.path)
            else:
                tag = known.tag(name, datatype)
                yield from _readings(tag, at, whose, value, quality, metric.is_historical, message)
    except BadPayload as bad:
        yield message.malformed(bad.reason, f"{known.name[:80]!r}: {bad}", metric, place.path)


def _values(known: Metric, metric: Any) -> Iterator[Leaf]:
    datatype = metric.datatype or known.datatype
    if metric.is_null:
        yield from (Leaf(name, 0, None) for name in (list(known.tags) or ([""] if is_plain(datatype) else [])))
    elif is_plain(datatype):
        yield Leaf("", datatype, scalar(datatype, metric))
    else:
        yield from leaves(datatype, metric, known.known)


def _time(metric: Any, message: Message) -> tuple[int, TimeOf]:
    at = time_of(metric)
    if at is not None:
        return at, "source"
    if metric.is_historical:
        raise BadPayload("bad_time", "a historical value without a time of its own")
    at = message.at
    return (at, "server") if at is not None else (message.arrived, "arrival")


def _readings(
    tag: Tag, at: int, whose: TimeOf, value: Value, quality: int, historical: bool, message: Message
) -> Iterator[Reading]:
    yield Reading(tag.path, Sample(tag.tag, at, value, quality), whose)
    if historical:
        return
    tag.at = max(tag.at, at)
    stale_at, tag.stale_at = tag.stale_at, None
    if stale_at is not None and at <= stale_at:
        # It has its value since before it was stale, and has it now: said again at the time at which that is known.
        now = message.at
        if now is not None and now > stale_at:
            yield Reading(tag.path, Sample(tag.tag, now, value, quality), "server")
        elif message.arrived > stale_at:
            yield Reading(tag.path, Sample(tag.tag, message.arrived, value, quality), "arrival")


def _stale(metric: Metric, at: int, whose: TimeOf) -> Iterator[Reading]:
    """What its tags are from now on: unknown. Never before what they said last, whatever the clocks say."""
    for tag in metric.tags.values():
        if tag.stale_at is None:
            tag.stale_at = max(at, tag.at + 1)
            yield Reading(tag.path, Sample(tag.tag, tag.stale_at, None, NO_COMMUNICATION), whose)
