"""Times of the folds: integer microseconds, UTC."""

HOUR = 3_600_000_000

INF = 1 << 62
