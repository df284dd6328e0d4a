"""SunSpec: finds the information models of a device, and makes points of those that are known. Pure: it says what to read."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from connectors.modbus.codec import POWERS, scale_power
from connectors.modbus.point import Layout, Point, Type
from topology.namespace.path import Path

BASES = (40_000, 50_000, 0)
"""Where the models may begin."""
MARKER = (0x5375, 0x6E53)
"""The letters SunS."""
MODELS_MAX = 200
NO_FACTOR = 0x8000
_END = 0xFFFF
_TYPES: dict[str, tuple[Type, int, int | None]] = {
    "int16": ("int16", 1, 0x8000),
    "uint16": ("uint16", 1, 0xFFFF),
    "uint32": ("uint32", 2, 0xFFFF_FFFF),
    "uint64": ("uint64", 4, 0xFFFF_FFFF_FFFF_FFFF),
    "acc32": ("uint32", 2, None),
    "acc64": ("uint64", 4, None),
    "enum16": ("uint16", 1, 0xFFFF),
    "bitfield16": ("uint16", 1, 0xFFFF),
    "bitfield32": ("uint32", 2, 0xFFFF_FFFF),
    "float32": ("float32", 2, None),
    "sunssf": ("int16", 1, 0x8000),
    "pad": ("uint16", 1, None),
}
"""By the name that SunSpec has for it: type, registers, and what stands there when it is not implemented."""
_UNREAD = ("sunssf", "pad")


class NotSunSpec(Exception):
    """The device has no SunSpec models where they may be, or none that is known; says so."""


class Model(NamedTuple):
    """A model as it was found. `address`: its first point, behind the number and the length."""

    number: int
    address: int
    length: int


class Found(NamedTuple):
    """What a device has."""

    models: tuple[Model, ...]
    broken_at: int | None
    """Where the chain of models could not be followed any further; None: to its end."""


Ask = tuple[int, int]
"""First holding register, and how many."""
Survey = Generator[Ask, Sequence[int] | None, Found]


@dataclass(frozen=True, slots=True)
class Known:
    """What we know of a model."""

    label: str
    points: tuple[tuple[str, ...], ...]
    each: tuple[tuple[str, ...], ...] = ()
    slow: bool = False


def survey(base: int | None) -> Survey:
    """Asks for registers, is sent them, or None where the device refused; returns what it has. Raises `NotSunSpec`."""
    bases = BASES if base is None else (base,)
    for start in bases:
        if tuple((yield start, 2) or ()) == MARKER:
            break
    else:
        raise NotSunSpec(f"no SunSpec marker at {', '.join(map(str, bases))}; say its `base`, or list `tags`")
    models: list[Model] = []
    address = start + 2
    while len(models) < MODELS_MAX and address < _END:
        header = yield address, 2
        if header is None:
            header = yield address, 1  # the last model may be one register alone
        if not header or (header[0] != _END and len(header) < 2):
            return Found(tuple(models), address)
        if header[0] == _END:
            return Found(tuple(models), None)
        models.append(Model(header[0], address + 2, header[1]))
        address += 2 + header[1]
    return Found(tuple(models), address)


@cache
def known() -> dict[int, Known]:
    """The models that are read, by their number."""
    text = (files("connectors.modbus") / "sunspec_models.yaml").read_text(encoding="utf-8")
    entries: dict[int, dict[str, Any]] = yaml.safe_load(text)
    return {
        number: Known(
            entry["label"],
            tuple(tuple(point.split()) for point in entries[entry.get("as", number)]["points"]),
            tuple(tuple(point.split()) for point in entries[entry.get("as", number)].get("each", ())),
            entry.get("slow", False),
        )
        for number, entry in entries.items()
    }


def far_factors(models: Sequence[Model], registers_max: int) -> list[int]:
    """Registers of scale factors too far from a value to come in one answer with it: they must be read before."""
    return sorted(
        {
            place.factor
            for model in models
            if model.number in known()
            for place in _places(model)
            if place.factor is not None and _span(place) > registers_max
        }
    )


def points(
    path: Path, models: Sequence[Model], registers_max: int, factors: dict[int, int]
) -> Iterator[tuple[Point, bool]]:
    """The points of the models that are known, each with whether it hardly ever changes. Tags are `inverter.W`,
    `mppt.2.DCV`, of the second model of a kind `meter2.W`. `factors`: what stands at `far_factors`; what they make no sense for is left out.
    """
    seen: Counter[str] = Counter()
    for model in models:
        if (entry := known().get(model.number)) is None:
            continue
        seen[entry.label] += 1
        label = entry.label + (str(seen[entry.label]) if seen[entry.label] > 1 else "")
        for place in _places(model):
            kind, _, none = _TYPES.get(place.type, ("string", place.words, 0))
            near = place.factor is None or _span(place) <= registers_max
            scale = None
            if place.factor is not None and not near:
                if (power := scale_power(factors[place.factor])) not in POWERS:
                    continue
                scale = Decimal(1).scaleb(power)
            layout = Layout(
                kind, place.words, scale=scale, not_available=frozenset() if none is None else frozenset({none})
            )
            factor = place.factor if near else None
            yield Point(path, f"{label}.{place.name}", "holding", place.address, layout, factor), entry.slow


class _Place(NamedTuple):
    name: str
    type: str
    address: int
    words: int
    factor: int | None
    """Where its scale factor stands."""


def _places(model: Model) -> Iterator[_Place]:
    """The values of a model that lie inside the length that the device gives it: older ones are shorter."""
    entry = known()[model.number]
    end = model.address + model.length
    factors: dict[str, int] = {}
    address = model.address
    fixed, address = _laid_out(entry.points, address, "", factors)
    repeated: list[_Place] = []
    number = 1
    while entry.each and address < end:
        more, address = _laid_out(entry.each, address, f"{number}.", factors)
        repeated += more
        number += 1
    for place in (*fixed, *repeated):
        if place.address + place.words <= end:
            yield place


def _laid_out(
    entries: Sequence[tuple[str, ...]], address: int, before: str, factors: dict[str, int]
) -> tuple[list[_Place], int]:
    """Points one behind the other from `address` on, and where they end; takes up the factors that stand among them."""
    raw: list[tuple[str, str, int, int, str | None]] = []
    for name, kind, *factor in entries:
        words = _TYPES[kind][1] if kind in _TYPES else int(kind.partition(":")[2])
        if kind == "sunssf":
            factors[name] = address
        raw.append((name, kind, address, words, factor[0] if factor else None))
        address += words
    places = [
        _Place(before + name, kind, at, words, None if factor is None else factors[factor])
        for name, kind, at, words, factor in raw
        if kind not in _UNREAD
    ]
    return places, address


def _span(place: _Place) -> int:
    if place.factor is None:
        return place.words
    return max(place.address + place.words, place.factor + 1) - min(place.address, place.factor)
