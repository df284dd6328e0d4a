"""How good guesses are in time that a model has not seen: log-loss and Brier score with intervals, and calibration. Pure.

Intervals: delete-one jackknife over blocks of time (`processors.analysis.inference`), for what happens within an hour hangs
together. A model is worth publishing when it is better than the base rate in both scores with certainty.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from processors.analysis.inference import Estimate, Vector, delete_one, jackknife

BLOCKS = 20
BINS = 10
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one model in one stretch of time."""

    log_loss: float
    brier: float
    base_log_loss: float
    base_brier: float
    log_loss_gain: Estimate
    """Model less base rate, a piece: below 0 the model is better."""
    brier_gain: Estimate
    calibration_error: float
    """Mean distance of guess and truth over `BINS` bins with equal numbers of pieces."""
    pieces: int
    scrap: int

    @property
    def worth_it(self) -> bool:
        """Better than the base rate in both, by more than chance."""
        gains = self.log_loss_gain.high, self.brier_gain.high
        return all(high is not None and high < 0 for high in gains)


def scores(guesses: Sequence[float], base: float, pieces: Sequence[int], scrap: Sequence[int]) -> Scores:
    """Of rows in order of time; `base`: the guess without a model."""
    log_losses = [_log_loss(p, n, m) for p, n, m in zip(guesses, pieces, scrap, strict=True)]
    base_losses = [_log_loss(base, n, m) for n, m in zip(pieces, scrap, strict=True)]
    briers = [_brier(p, n, m) for p, n, m in zip(guesses, pieces, scrap, strict=True)]
    base_briers = [_brier(base, n, m) for n, m in zip(pieces, scrap, strict=True)]
    whole = sum(pieces)
    return Scores(
        math.fsum(log_losses) / whole,
        math.fsum(briers) / whole,
        math.fsum(base_losses) / whole,
        math.fsum(base_briers) / whole,
        gain(log_losses, base_losses, pieces),
        gain(briers, base_briers, pieces),
        calibration_error(guesses, pieces, scrap),
        whole,
        sum(scrap),
    )


def losses(guesses: Sequence[float], pieces: Sequence[int], scrap: Sequence[int]) -> list[float]:
    """Log-loss of each row."""
    return [_log_loss(p, n, m) for p, n, m in zip(guesses, pieces, scrap, strict=True)]


def gain(ours: Sequence[float], others: Sequence[float], pieces: Sequence[int]) -> Estimate:
    """Mean difference a piece (ours less others'), with its interval over blocks of time."""
    blocks = min(BLOCKS, len(ours))
    sums: dict[int, list[float]] = {}
    for place, (one, other, count) in enumerate(zip(ours, others, pieces, strict=True)):
        block = sums.setdefault(place * blocks // len(ours), [0.0, 0.0])
        block[0] += one - other
        block[1] += count
    units: dict[int, Vector] = {number: tuple(block) for number, block in sums.items()}

    def mean(vector: Vector) -> float | None:
        return float(vector[0]) / float(vector[1]) if vector[1] else None

    return jackknife(delete_one(units, mean), len(units))


def calibration_error(guesses: Sequence[float], pieces: Sequence[int], scrap: Sequence[int]) -> float:
    """Expected calibration error (Naeini, Cooper & Hauskrecht 2015), bins of equal numbers of pieces."""
    ranked = sorted(range(len(guesses)), key=lambda n: (guesses[n], n))
    whole, passed, error = sum(pieces), 0, 0.0
    bins: dict[int, list[float]] = {}
    for n in ranked:
        of_bin = bins.setdefault(min(BINS - 1, passed * BINS // whole), [0.0, 0.0])
        of_bin[0] += guesses[n] * pieces[n]
        of_bin[1] += scrap[n]
        passed += pieces[n]
    error = math.fsum(abs(guessed - lost) for guessed, lost in bins.values())
    return error / whole if whole else 0.0


def _log_loss(p: float, pieces: int, scrap: int) -> float:
    held = min(max(p, _LEAST), 1 - _LEAST)
    return -(scrap * math.log(held) + (pieces - scrap) * math.log1p(-held))


def _brier(p: float, pieces: int, scrap: int) -> float:
    return scrap * (1 - p) ** 2 + (pieces - scrap) * p**2
