"""Prediction records: of each production record the probability that its pieces are scrap, by the process values of its time.

Only where the equipment type names a quality model. A process value is the mean of the characteristic's points in the
record's time; where there are none, the last point before, if that is at most `CARRIED_US` old. Without a single one
nothing is guessed. A late point, or a production record that changes, gives a revision.
"""

from collections.abc import Iterator

import msgspec

from processors.cell.cell import Cell
from processors.derive import production, quality
from processors.derive.derivation import Derivation, Saved
from processors.output.withdrawal import emptied
from processors.prediction.score import guess
from processors.spc.ordinal import measure
from processors.timeline.view import View
from processors.units import HOUR
from schemas.records import Contribution, Derived, Prediction, Production, Quality
from schemas.text import micros
from topology.model.quality_model import QualityModel

KIND = "prediction"
CARRIED_US = HOUR
"""How long a process value is taken to hold after it was measured (µs)."""


class LastPoint(msgspec.Struct, array_like=True, gc=False):
    """A characteristic's last point before the floor: the samples themselves are gone."""

    at: int
    value: float


class Before(msgspec.Struct, gc=False):
    """What is known of the time before the floor, by characteristic."""

    points: dict[str, LastPoint] = {}


_decode = msgspec.msgpack.Decoder(Before).decode


class PredictionRecords(Derivation):
    """Predictions by production record."""

    __slots__ = ("_before", "_changed", "_model")

    name = KIND
    kinds = (KIND,)
    records = (Prediction,)

    def __init__(self, cell: Cell) -> None:
        self._model = cell.type.predicts
        self._before = Before()
        self._changed = False

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Of production records that were said now, and of those that a point now said may have a part in."""
        if self._model is None:
            return []
        out: list[Derived] = []
        for started_at in sorted(self._touched(cell, view)):
            record = cell.ledger.get(production.KIND, started_at)
            if isinstance(record, Production):
                out += self._predict(cell, self._model, record)
        return out

    def _touched(self, cell: Cell, view: View) -> set[int]:
        assert self._model is not None
        starts = {record.started_at for record in view.said if isinstance(record, Production)}
        bucket_us = view.moment.bucket_us
        for record in view.said:
            if isinstance(record, Quality) and record.characteristic in self._model.characteristics:
                near = record.started_at - bucket_us, record.started_at + CARRIED_US + 1
                starts.update(cell.ledger.starts(production.KIND, *near))
        return starts

    def _predict(self, cell: Cell, model: QualityModel, record: Production) -> list[Derived]:
        known = cell.ledger.get(KIND, record.started_at)
        pieces = record.good + record.scrap + record.rework
        values = self._values(cell, model, record)
        if record.withdrawn or not pieces or not values:
            withdrawn = known is None or known.withdrawn
            return [] if withdrawn else cell.ledger.withdraw(KIND, record.started_at, **emptied(known))
        found = guess(model, values)
        name = cell.type.quality_model
        assert name is not None
        return cell.ledger.put(
            Prediction,
            KIND,
            record.started_at,
            record.ended_at,
            True,
            (record.inputs.first_offset, record.inputs.last_offset),
            model=name,
            model_hash=model.hash,
            trained_from=micros(model.trained_from),
            trained_to=micros(model.trained_to),
            probability=found.probability,
            base_rate=model.base_rate,
            pieces=pieces,
            expected_scrap=pieces * found.probability,
            order=record.order,
            product=record.product,
            contributions=tuple(
                Contribution(characteristic=part.characteristic, value=part.value, log_odds=part.log_odds)
                for part in found.parts
            ),
            unusual=found.unusual,
        )

    def _values(self, cell: Cell, model: QualityModel, record: Production) -> dict[str, float]:
        """Process values of a record's time, of those that are known."""
        start, end = record.started_at, record.ended_at or record.started_at
        found = {}
        for characteristic in model.characteristics:
            points = [value for _, value in _points(cell, characteristic, start, end)]
            if points:
                found[characteristic] = sum(points) / len(points)
            elif (last := self._last(cell, characteristic, start)) is not None and last.at >= start - CARRIED_US:
                found[characteristic] = last.value
        return found

    def _last(self, cell: Cell, characteristic: str, before: int) -> LastPoint | None:
        """The last point before a time, within `CARRIED_US`."""
        last = None
        for at, value in _points(cell, characteristic, max(before - CARRIED_US, cell.floor), before):
            last = LastPoint(at, value)
        return last if last is not None else self._before.points.get(characteristic)

    def expire(self, cell: Cell, floor: int) -> None:
        if self._model is None:
            return
        for characteristic in self._model.characteristics:
            last = self._last(cell, characteristic, floor)
            if last is not None and last != self._before.points.get(characteristic):
                self._before.points[characteristic] = last
                self._changed = True

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        if self._changed:
            self._changed = False
            yield "", self._before

    def load(self, saved: Saved, redefined: bool) -> None:
        self._before = _decode(saved[""].state)


def _points(cell: Cell, characteristic: str, start: int, end: int) -> Iterator[tuple[int, float]]:
    """Time and value of the published points with start ≤ at < end, in order; of tags, else of inspections."""
    if characteristic in cell.series:
        for at, number in quality.sampled(cell, characteristic, start, end):
            yield at, measure(number)
    else:
        yield from sorted((at, value) for at, _, value in quality.inspected(cell, characteristic, start, end))
