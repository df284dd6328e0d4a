"""Small symmetric matrices, in order and with every digit the same on every machine: means, covariances, inverses."""

import math
from collections.abc import Sequence

Matrix = list[list[float]]
SINGULAR = 1e-10
"""A share of a variance that is left unexplained by the others; below, one of them says nothing of its own."""


def mean_of(rows: Sequence[Sequence[float]]) -> list[float]:
    """Of each column."""
    return [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]


def covariance(rows: Sequence[Sequence[float]], mean: Sequence[float]) -> Matrix:
    """S, with n − 1."""
    off = [[x - m for x, m in zip(row, mean, strict=True)] for row in rows]
    size = range(len(mean))
    return [[math.fsum([row[j] * row[k] for row in off]) / (len(rows) - 1) for k in size] for j in size]


def inverse(matrix: Matrix) -> Matrix | None:
    """Of a covariance, by Cholesky's parts; None where a column follows from the others.

    >>> inverse([[4.0, 2.0], [2.0, 2.0]])
    [[0.5, -0.5], [-0.5, 1.0]]
    """
    size = len(matrix)
    low = [[0.0] * size for _ in range(size)]
    for j in range(size):
        left = matrix[j][j] - sum(low[j][k] ** 2 for k in range(j))
        if not left > SINGULAR * matrix[j][j]:
            return None
        low[j][j] = math.sqrt(left)
        for i in range(j + 1, size):
            low[i][j] = (matrix[i][j] - sum(low[i][k] * low[j][k] for k in range(j))) / low[j][j]
    columns = [_solved(low, j) for j in range(size)]
    return [[(columns[j][i] + columns[i][j]) / 2 for j in range(size)] for i in range(size)]


def product(matrix: Matrix, vector: Sequence[float]) -> list[float]:
    return [sum([a * b for a, b in zip(row, vector, strict=True)]) for row in matrix]


def _solved(low: Matrix, unit: int) -> list[float]:
    """x of L·Lᵀ·x = e, e being the unit vector of a number."""
    size = len(low)
    half = [0.0] * size
    for i in range(size):
        half[i] = ((1.0 if i == unit else 0.0) - sum(low[i][k] * half[k] for k in range(i))) / low[i][i]
    whole = [0.0] * size
    for i in reversed(range(size)):
        whole[i] = (half[i] - sum(low[k][i] * whole[k] for k in range(i + 1, size))) / low[i][i]
    return whole
