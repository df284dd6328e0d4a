"""What the machines of the bench say, and what must follow from it. Pure: of a machine's number and the second alone.

Nineteen tags a second, and a twentieth each ten seconds: a state that is held for five seconds of each minute, two counters,
a characteristic when a piece is measured, and sixteen analog values that all change. Every number is a multiple of 1/64, so
that sums of doubles are exact, in whatever order they are added.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

ANALOGS = 16
EXECUTE, HELD = 6, 11
MINUTE_S, STOP_S, MEASURED_S, SCRAP_EVERY = 60, 5, 10, 40
SAMPLES_S = 3 + ANALOGS + 1 / MEASURED_S
"""Of a machine."""
LINE = 10
"""Machines of a line."""
AREA = "bench/site/area"
_TAGS = tuple(f"T{number:02}" for number in range(1, ANALOGS + 1))

Values = dict[str, float | int]


class Told(NamedTuple):
    """What a tag said in all; exact."""

    number: int
    values: float
    times_us: int


def path(number: int) -> str:
    return f"{AREA}/line-{number // LINE}/machine-{number % LINE}"


def topic(number: int) -> str:
    """Of MQTT."""
    return f"{path(number)}/data"


def at_ms(begin_ms: int, machines: int, number: int, second: int) -> int:
    """When a machine speaks: they share a second out among them."""
    return begin_ms + second * 1000 + number * 1000 // machines


def good(number: int, second: int) -> int:
    """Pieces up to and with a second: one each two seconds in which it runs."""
    phase = 7 * number % MINUTE_S
    return (_ran(phase + second + 1) - _ran(phase)) // 2


def _ran(seconds: int) -> int:
    """Of so many, those that are not in the stop at each minute's begin."""
    return seconds // MINUTE_S * (MINUTE_S - STOP_S) + max(0, seconds % MINUTE_S - STOP_S)


def values(number: int, second: int) -> Values:
    made = good(number, second)
    said: Values = {
        "State": HELD if (7 * number + second) % MINUTE_S < STOP_S else EXECUTE,
        "Good": made,
        "Scrap": made // SCRAP_EVERY,
    }
    if (number + second) % MEASURED_S == 0:
        said["Weight"] = 10 + ((second // MEASURED_S * 7 + number) % 13 - 6) / 64
    base = second * 3 + number * 5
    for place, tag in enumerate(_TAGS):
        said[tag] = 20 + (base + second * place + place * 37) % 641 / 64
    return said


def message(at: int, said: Mapping[str, float | int]) -> bytes:
    """As the connector of MQTT reads it."""
    return msgspec.json.encode({"at": at, "values": said})


def truth(begin_ms: int, machines: int, seconds: int) -> Iterator[tuple[str, str, Told]]:
    """Path, tag and what a historian must hold of it."""
    for number in range(machines):
        sums: dict[str, list[float]] = {}
        times: dict[str, int] = {}
        for second in range(seconds):
            at_us = at_ms(begin_ms, machines, number, second) * 1000
            for tag, value in values(number, second).items():
                kept = sums.setdefault(tag, [0, 0.0])
                kept[0] += 1
                kept[1] += value
                times[tag] = times.get(tag, 0) + at_us
        for tag, (count, total) in sums.items():
            yield path(number), tag, Told(int(count), total, times[tag])


def made(number: int, seconds: int) -> int:
    """Good pieces from a machine's first word to its last: what the production records must add up to."""
    return good(number, seconds - 1) - good(number, 0)


def samples(machines: int, seconds: int) -> int:
    measured = sum((number + second) % MEASURED_S == 0 for number in range(machines) for second in range(seconds))
    return machines * seconds * (3 + ANALOGS) + measured


def stops(number: int, seconds: int) -> int:
    """How often a machine was held."""
    held = [(7 * number + second) % MINUTE_S < STOP_S for second in range(seconds)]
    return sum(now and not before for before, now in zip([False, *held], held, strict=False))
