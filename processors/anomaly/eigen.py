"""Eigenvalues of a small symmetric matrix, the same to the last bit on every machine: no BLAS, which is not."""

import math

Matrix = list[list[float]]
SWEEPS_MAX = 60


def eigen(matrix: Matrix) -> tuple[list[float], Matrix]:
    """Eigenvalues, the greatest first, and their unit vectors as rows; Jacobi's rotations (Golub and Van Loan, §8.5).

    The greatest part of each vector is positive. Raises ValueError where it does not end, which no finite matrix does.

    >>> values, vectors = eigen([[2.0, 1.0], [1.0, 2.0]])
    >>> [round(value, 12) for value in values], [round(part, 6) for part in vectors[0]]
    ([3.0, 1.0], [0.707107, 0.707107])
    """
    n = len(matrix)
    a = [row[:] for row in matrix]
    v = [[float(i == j) for j in range(n)] for i in range(n)]
    total = math.fsum(part * part for row in a for part in row)
    for _ in range(SWEEPS_MAX):
        off = math.fsum(a[i][j] * a[i][j] for i in range(n) for j in range(i))
        if off <= 1e-30 * total:
            break
        for p in range(n):
            for q in range(p + 1, n):
                if a[p][q] != 0.0:
                    _rotate(a, v, p, q)
    else:
        raise ValueError("no eigenvalues: a number of the matrix is not finite")
    order = sorted(range(n), key=lambda k: (-a[k][k], k))
    return [a[k][k] for k in order], [_upright([row[k] for row in v]) for k in order]


def _rotate(a: Matrix, v: Matrix, p: int, q: int) -> None:
    """Makes a[p][q] zero."""
    theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
    t = (1.0 if theta >= 0 else -1.0) / (abs(theta) + math.sqrt(theta * theta + 1))
    c = 1 / math.sqrt(t * t + 1)
    s = t * c
    for row in (*a, *v):
        row[p], row[q] = c * row[p] - s * row[q], s * row[p] + c * row[q]
    for k in range(len(a)):
        a[p][k], a[q][k] = c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]


def _upright(vector: list[float]) -> list[float]:
    greatest = max(vector, key=abs)
    return [-part for part in vector] if greatest < 0 else vector
