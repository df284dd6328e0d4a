"""Observations to readings. Pure; it remembers which conditions are active and which entries a data set has."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from connectors.base import Malformed, Reading, Said
from connectors.kit.times import plausible, shown
from connectors.mtconnect.codec import BadDocument, BadObservation, Observation
from connectors.mtconnect.places import Place
from schemas.records import GOOD, Sample, Value

BAD_NOT_CONNECTED = 0x808A0000
"""UNAVAILABLE: the agent does not hear the source. So the companion specification MTConnect for OPC UA has it."""
BAD_NO_DATA = 0x809B0000
"""An entry that was taken out of its data set."""
AXES = ("X", "Y", "Z")
"""Of a value in space."""
LEVELS = ("NORMAL", "WARNING", "FAULT")
ACTIVE_MAX = 1_000
"""Active conditions of one data item that are remembered, the latest."""
ENTRIES_MAX = 10_000
"""Entries of one data set."""
SERIES_MAX = 1_000_000
BYTES_MAX = 100_000
"""Bytes of what cannot be read that go to quarantine."""
MESSAGE_MAX = 500
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)


class _Bad(ValueError):
    """A value that is none of its data item; `reason` is one of a few words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Told(NamedTuple):
    suffix: str
    at: int
    value: Value
    quality: int = GOOD
    computed: bool = False
    """Whether its time was computed, of a sample rate."""


class _Condition(NamedTuple):
    level: str
    native_code: str


class Readings:
    """For one agent. Observations come in the order of their sequence."""

    def __init__(self, origin: str) -> None:
        """`origin` names the agent, for errors."""
        self._origin = origin
        self._places: Mapping[str, Place] = {}
        self._active: dict[str, dict[str, _Condition]] = {}
        """By data item, by code, the latest last."""
        self._entries: dict[str, dict[str, None]] = {}

    def mapped(self, places: Mapping[str, Place]) -> None:
        """Takes the tags of data items; what is remembered of items that are no more is forgotten."""
        self._places = places
        for remembered in (self._active, self._entries):
            for gone in remembered.keys() - places.keys():
                del remembered[gone]

    def forget_conditions(self) -> None:
        """What is active is told anew: the agent was restarted, or something was missed."""
        self._active.clear()

    def said(self, observation: Observation, complete: bool = False) -> list[Said]:
        """Readings for each tag of the observation's data item, or why it is none. `complete`: a data set is told with all
        that it has, as `current` does. An observation of a data item that nobody asked for is nothing."""
        place = self._places.get(observation.item)
        if place is None:
            return []
        try:
            told = list(self._told(observation, place, complete))
        except _Bad as bad:
            path, tag = place.tags[0]
            words = f"{path} {tag} ({observation.item}): {bad}"[:MESSAGE_MAX]
            return [
                Malformed(self._where(observation.item), observation.text.encode()[:BYTES_MAX], bad.reason, words, path)
            ]
        return [
            Reading(
                path, Sample(tag + one.suffix, one.at, one.value, one.quality), "server" if one.computed else "source"
            )
            for path, tag in place.tags
            for one in told
        ]

    def bad(self, bad: BadObservation) -> list[Said]:
        """An element of a document that is no observation."""
        place = self._places.get(bad.item)
        path = place.tags[0][0] if place is not None else None
        return [Malformed(self._where(bad.item), bad.payload, bad.reason, bad.message[:MESSAGE_MAX], path)]

    def unknown(self, observation: Observation) -> list[Said]:
        """An observation of a data item that the agent's own model does not have."""
        words = f"{observation.type} {shown(observation.item)}: /probe does not name this data item"
        return [
            Malformed(
                self._where(observation.item),
                observation.text.encode()[:BYTES_MAX],
                "unknown_item",
                words[:MESSAGE_MAX],
            )
        ]

    def _where(self, item: str) -> str:
        return f"{self._origin} {item[:100]}"

    def _told(self, observation: Observation, place: Place, complete: bool) -> Iterator[_Told]:
        if observation.category == "CONDITION":
            yield self._condition(observation)
        elif observation.cells is not None or place.item.representation in ("DATA_SET", "TABLE"):
            yield from self._set(observation, complete)
        elif not observation.available:
            yield from _unavailable(observation, place)
        elif place.item.representation == "TIME_SERIES" or observation.type.endswith("TimeSeries"):
            yield from _series(observation, place)
        elif place.numeric:
            yield from _numbers(observation, place)
        else:
            yield _Told("", observation.at, observation.text)

    def _condition(self, observation: Observation) -> _Told:
        """The worst that is active, the latest of several: its level and its native code; NORMAL where nothing is."""
        level, code = observation.level, observation.code
        active = self._active.setdefault(observation.item, {})
        if not observation.available:
            active.clear()
            return _Told("", observation.at, None, BAD_NOT_CONNECTED)
        if level not in LEVELS:
            raise _Bad("bad_value", f"{shown(level)} is no level of a condition")
        if level == "NORMAL" and not code:
            active.clear()
        else:
            active.pop(code, None)
        if level != "NORMAL":
            active[code] = _Condition(level, observation.native_code)
            if len(active) > ACTIVE_MAX:
                del active[next(iter(active))]
        worst = max(active.values(), key=lambda one: LEVELS.index(one.level), default=None)
        if worst is None:
            return _Told("", observation.at, "NORMAL")
        latest = next(one for one in reversed(active.values()) if one.level == worst.level)
        return _Told("", observation.at, f"{latest.level} {latest.native_code}".rstrip())

    def _set(self, observation: Observation, complete: bool) -> Iterator[_Told]:
        """Each entry that is told, and those that are no more."""
        entries, at = self._entries.setdefault(observation.item, {}), observation.at
        if not observation.available:
            for key in entries:
                yield _Told(f".{key}", at, None, BAD_NOT_CONNECTED)
            return
        cells = observation.cells or ()
        told = {cell.key for cell in cells}
        if len(entries.keys() | told) > ENTRIES_MAX:
            raise _Bad("bad_value", f"more than {ENTRIES_MAX} entries")
        gone = {cell.key for cell in cells if cell.text is None}
        if observation.type.endswith("Table"):  # a row is taken out with all its cells
            gone |= {key for key in entries if key.rpartition(".")[0] in gone}
        if complete or observation.reset:
            gone |= entries.keys() - told
        for key in [key for key in entries if key in gone]:
            del entries[key]
            yield _Told(f".{key}", at, None, BAD_NO_DATA)
        for cell in cells:
            if cell.text is not None:
                entries[cell.key] = None
                unavailable = cell.text == "UNAVAILABLE"
                value = None if unavailable else _either(cell.text)
                yield _Told(f".{cell.key}", at, value, BAD_NOT_CONNECTED if unavailable else GOOD)


def unreadable(where: str, data: bytes, bad: BadDocument) -> Malformed:
    """A document that is none."""
    return Malformed(where, data[:BYTES_MAX], bad.reason, f"{where}: {bad}"[:MESSAGE_MAX])


def _unavailable(observation: Observation, place: Place) -> Iterator[_Told]:
    for suffix in [f".{axis}" for axis in AXES] if _in_space(place) else [""]:
        yield _Told(suffix, observation.at, None, BAD_NOT_CONNECTED)


def _numbers(observation: Observation, place: Place) -> Iterator[_Told]:
    """One number, or three of a value in space."""
    words = observation.text.split()
    if len(words) == len(AXES) and _in_space(place):
        for axis, word in zip(AXES, words, strict=True):
            yield _Told(f".{axis}", observation.at, _number(word, place))
    elif len(words) == 1:
        yield _Told("", observation.at, _number(words[0], place))
    else:
        raise _Bad("bad_value", f"{shown(observation.text)} is no number")


def _in_space(place: Place) -> bool:
    return place.item.units.endswith("_3D")


def _series(observation: Observation, place: Place) -> Iterator[_Told]:
    """The samples of a series: the observation has the time of the last, the rate says how much earlier the others are."""
    words = observation.text.split()
    if observation.samples not in (None, len(words)) or len(words) > SERIES_MAX:
        raise _Bad("bad_value", f"{len(words)} samples, where {observation.samples} are announced")
    rate = observation.rate or place.item.rate
    if rate is None and len(words) > 1:
        raise _Bad("bad_value", "a series of samples, and neither it nor the data item says its rate")
    for number, word in enumerate(words, 1 - len(words)):
        at = observation.at + (round(number * 1_000_000 / rate) if rate else 0)
        if not plausible(at):
            raise _Bad("bad_time", f"{len(words)} samples at {rate} a second begin before 1990")
        yield _Told("", at, _number(word, place), computed=number < 0)


def _number(text: str, place: Place) -> Value:
    """Samples are continuous, so floats; of the rest an integer is one."""
    if not _NUMBER.fullmatch(text):
        raise _Bad("bad_value", f"{shown(text)} is no number")
    if place.item.category != "SAMPLE" and _INTEGER.fullmatch(text) and -(2**63) <= (whole := int(text)) < 2**63:
        return whole
    number = float(text)
    if not math.isfinite(number):
        raise _Bad("bad_value", f"{shown(text)} does not fit 64 bits")
    return number


def _either(text: str) -> Value:
    """Of an entry, whose kind nobody says: a number where it looks like one."""
    if _INTEGER.fullmatch(text) and -(2**63) <= (whole := int(text)) < 2**63:
        return whole
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
