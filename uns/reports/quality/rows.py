"""Rows to train on: production records in order of time, with the process values that the fold will see."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from processors.analysis.held import History
from processors.analysis.losses import pieces, points_of
from processors.analysis.observations import Of
from processors.analysis.selection import Incomparable, newest
from schemas.records import Production, Quality
from topology.model.quality_model import FEATURES_MAX

KNOWN_MIN = 0.5
"""A characteristic is a feature where it is known of so much of the rows."""


@dataclass(frozen=True)
class Rows:
    """`values[n][m]`: process value m in row n; None where it is not known."""

    features: tuple[str, ...]
    at: tuple[int, ...]
    """Begin (µs), rising."""
    until: int
    """End of the last row."""
    pieces: tuple[int, ...]
    scrap: tuple[int, ...]
    values: tuple[tuple[float | None, ...], ...]

    def part(self, begin: int, end: int) -> "Rows":
        """Rows with numbers in [begin, end)."""
        cut = slice(begin, end)
        until = self.at[end] if end < len(self.at) else self.until
        return Rows(self.features, self.at[cut], until, self.pieces[cut], self.scrap[cut], self.values[cut])


def rows_of(productions: Iterable[Production], qualities: Iterable[Quality], wanted: Sequence[str] = ()) -> Rows:
    """`wanted`: these characteristics alone. Raises `Incomparable` where no characteristic is known of enough rows."""
    points = points_of(qualities)
    nothing = History(())
    kept: list[tuple[Production, dict[str, float]]] = [
        (record, dict(one.values))
        for record in sorted(newest(productions), key=lambda one: (one.started_at, one.path))
        for one in pieces([record], nothing, Of.SCRAP, points, lambda *_: "")
    ]
    names = sorted({name for _, values in kept for name in values})
    if unknown := sorted({*wanted} - {*names}):
        raise Incomparable(f"no point of {', '.join(unknown)} there; there are {', '.join(names) or 'none'}")
    features = [
        name for name in (wanted or names) if sum(name in values for _, values in kept) >= KNOWN_MIN * len(kept)
    ][:FEATURES_MAX]
    if not features:
        raise Incomparable(
            "no characteristic was measured in at least half of the production records: nothing to predict from"
        )
    usable = [(record, values) for record, values in kept if any(name in values for name in features)]
    return Rows(
        tuple(features),
        tuple(record.started_at for record, _ in usable),
        max(record.ended_at or record.started_at for record, _ in usable),
        tuple(record.good + record.scrap + record.rework for record, _ in usable),
        tuple(record.scrap for record, _ in usable),
        tuple(tuple(values.get(name) for name in features) for _, values in usable),
    )
