"""Tails and quantiles of the distributions that tests and intervals need, from scipy, which is imported when one is asked for."""

import math
from importlib import import_module
from statistics import NormalDist
from typing import Any

CONFIDENCE = 0.95
NORMAL = NormalDist()
Interval = tuple[float, float]


class Absent(ImportError):
    """A library of the extra `quality` is not installed; the message says how to get it."""


def library(name: str) -> Any:
    """A module of the extra `quality`. Raises `Absent`."""
    try:
        return import_module(name)
    except ImportError as error:
        raise Absent(f"{name.partition('.')[0]} is not installed; `pip install 'uns-backbone[quality]'`") from error


def z(confidence: float = CONFIDENCE) -> float:
    """The standard normal quantile of a two-sided interval."""
    return NORMAL.inv_cdf(0.5 + confidence / 2)


def chi2_tail(x: float, freedom: float) -> float:
    """P(χ² ≥ x)."""
    return float(library("scipy.special").chdtrc(freedom, x)) if x > 0 else 1.0


def f_tail(f: float, between: float, within: float) -> float:
    """P(F ≥ f) with (between, within) degrees of freedom; `within` may be infinite."""
    if math.isinf(within):
        return chi2_tail(f * between, between)
    return float(library("scipy.special").fdtrc(between, within, f)) if f > 0 else 1.0


def f_quantile(probability: float, between: float, within: float) -> float:
    """The f with P(F ≤ f) = probability."""
    return float(library("scipy.special").fdtri(between, within, probability))


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x with P(Beta(a, b) ≤ x) = probability."""
    return float(library("scipy.special").betaincinv(a, b, probability))


def gamma_quantile(probability: float, shape: float) -> float:
    """The x with P(Gamma(shape, 1) ≤ x) = probability."""
    return float(library("scipy.special").gammaincinv(shape, probability))
