"""Units that wear, of several kinds, and how often the interval of their foretold life holds what came."""

import math
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from processors.condition.life import RemainingLife

LIMIT = 10.0
STAGES = (0.25, 0.5, 0.75, 0.9)
"""Shares of its life at which a unit is asked."""


class Unit(NamedTuple):
    """One simulated unit."""

    ends_at: float
    """When its true path comes to the limit."""
    values: list[float]
    """One a unit of time, up to then."""


def random_coefficient(chance: random.Random, noise: float = 0.5) -> Unit:
    """θ + βt with θ ~ N(0, 0.25), β ~ N(0.05, 0.015²), measured with noise: the rules of the reference."""
    theta, beta = chance.gauss(0, 0.5), 0.0
    while beta < 0.005:
        beta = chance.gauss(0.05, 0.015)
    ends = (LIMIT - theta) / beta
    return Unit(ends, [theta + beta * t + chance.gauss(0, noise) for t in range(int(ends))])


def wiener(chance: random.Random, sigma: float = 0.2) -> Unit:
    """A Wiener process of drift 0.1, seen without noise, in steps ten times finer than it is measured."""
    values, x = [0.0], 0.0
    while True:
        for tenth in range(1, 11):
            x += 0.01 + chance.gauss(0, sigma / math.sqrt(10))
            if x >= LIMIT:
                return Unit(len(values) - 1 + tenth / 10, values)
        values.append(x)


def gamma(chance: random.Random, shape: float = 1.0) -> Unit:
    """A gamma process of drift 0.1: it only rises, by jumps."""
    values = [0.0]
    while values[-1] < LIMIT:
        values.append(values[-1] + chance.gammavariate(shape, 0.1 / shape))
    return Unit(len(values) - 1.5, values[:-1])


def exponential(chance: random.Random, noise: float = 0.1) -> Unit:
    """exp(θ + βt), with noise that grows with it."""
    theta, beta = chance.gauss(0, 0.2), max(0.005, chance.gauss(0.02, 0.004))
    ends = (math.log(LIMIT) - theta) / beta
    return Unit(ends, [math.exp(theta + beta * t + chance.gauss(0, noise)) for t in range(int(ends))])


KINDS: dict[str, Callable[[random.Random], Unit]] = {
    "random-coefficient": random_coefficient,
    "random-coefficient-quiet": lambda chance: random_coefficient(chance, 0.1),
    "random-coefficient-noisy": lambda chance: random_coefficient(chance, 1.0),
    "wiener": wiener,
    "gamma": gamma,
    "exponential": exponential,
    "exponential-quiet": lambda chance: exponential(chance, 0.02),
}


class Asked(NamedTuple):
    """What was foretold at one stage of one unit."""

    stage: float
    said: bool
    """Whether there was a trend to speak of."""
    early: bool
    """It failed before the interval."""
    late: bool
    error: float
    """Of the median, as a share of what remained."""


def asked(kind: str, units: int, seed: int) -> Iterator[Asked]:
    """Every unit at every stage."""
    chance = random.Random(f"{kind}/{seed}")
    for _ in range(units):
        unit = KINDS[kind](chance)
        life = RemainingLife(LIMIT)
        stages = {max(10, int(stage * unit.ends_at)): stage for stage in STAGES}
        for t, value in enumerate(unit.values):
            life.update(float(t), value)
            if (stage := stages.get(t)) is not None:
                yield _answer(life, stage, unit.ends_at - t)


def _answer(life: RemainingLife, stage: float, remains: float) -> Asked:
    told = life.forecast()
    if told is None or told.low is None:
        return Asked(stage, False, False, False, math.nan)
    error = math.nan if told.median is None else abs(told.median - remains) / remains
    return Asked(stage, True, told.low > remains, told.high is not None and told.high < remains, error)


def coverage(answers: list[Asked]) -> float:
    """Share of the intervals said that hold what came."""
    said = [answer for answer in answers if answer.said]
    return sum(not (answer.early or answer.late) for answer in said) / len(said)
