"""What a whole keeps of a part's Kpi record, packed, and how parts are put together."""

import hashlib
import math
from collections.abc import Iterable, Sequence

import msgspec

from processors.timeline.sums import LONG_MAX
from schemas.records import Inputs, Kpi, KpiPieces, KpiStops
from topology.kpi.values import Facts, Pieces

_NOWHERE = Inputs("", -1, -1, -1)


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The newest revision of one Kpi record."""

    id: str
    """Without its revision."""
    path: str
    revision: int
    started_at: int
    ended_at: int | None
    until: int
    """How far its time elements reach."""
    open: bool
    """Provisional."""
    withdrawn: bool
    product: str | None
    element_us: dict[str, int]
    pieces: tuple[KpiPieces, ...]
    quantities: dict[str, float]
    stops: tuple[KpiStops, ...]
    inputs: Inputs
    observed_us: int | None = None
    elapsed_us: int | None = None

    @classmethod
    def of(cls, record: Kpi) -> "Part":
        return cls(
            id=record.natural_id,
            path=record.path,
            revision=record.revision,
            started_at=record.started_at,
            ended_at=record.ended_at,
            until=reach(record),
            open=record.status == "provisional",
            withdrawn=record.ended_at == record.started_at,
            product=record.product,
            element_us=record.element_us,
            pieces=record.pieces,
            # What is no number is not known.
            quantities={name: of for name, of in record.quantities.items() if math.isfinite(of)},
            stops=record.stops,
            inputs=record.inputs,
            observed_us=record.observed_us,
            elapsed_us=record.elapsed_us,
        )

    @property
    def facts(self) -> Facts:
        pieces = tuple(Pieces.of(made) for made in self.pieces)
        return Facts(self.element_us, pieces, self.quantities, self.observed_us)


def reach(record: Kpi) -> int:
    """The event time (µs) up to which a record speaks: its end, or its begin and the time gone by."""
    if record.ended_at is not None:
        return record.ended_at
    return record.started_at + sum(record.element_us.values())


pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(Part).decode
_digest = msgspec.msgpack.Encoder(order="deterministic").encode


def stops(parts: Iterable[Part]) -> tuple[KpiStops, ...]:
    """Stops by reason, longest first: counts and microseconds summed."""
    summed: dict[tuple[int | None, str | None, str | None], tuple[int, int]] = {}
    for part in parts:
        for stop in part.stops:
            key = stop.reason_code, stop.reason, stop.category
            count, us = summed.get(key, (0, 0))
            summed[key] = count + stop.count, us + stop.stopped_us
    longest = sorted(summed.items(), key=lambda item: (-item[1][1], -item[1][0], str(item[0])))
    return tuple(
        KpiStops(
            reason_code=code,
            reason=reason,
            category=category,
            count=min(count, LONG_MAX),
            stopped_us=min(us, LONG_MAX),
        )
        for (code, reason, category), (count, us) in longest
    )


def inputs(parts: Sequence[Part]) -> Inputs:
    """The raw records of parts of one raw partition; nowhere (-1) where there are several: each part names its own."""
    first = parts[0].inputs
    if any((part.inputs.topic, part.inputs.partition) != (first.topic, first.partition) for part in parts):
        return _NOWHERE
    return Inputs(
        first.topic,
        first.partition,
        min(part.inputs.first_offset for part in parts),
        max(part.inputs.last_offset for part in parts),
    )


def recorded(pieces: Iterable[Pieces]) -> tuple[KpiPieces, ...]:
    """Pieces as the record carries them; sums beyond a long (a counter gone mad) stop at what it can hold."""
    return tuple(
        KpiPieces(
            product=made.product,
            ideal_cycle_us=made.ideal_cycle_us,
            good=min(made.good, LONG_MAX),
            scrap=min(made.scrap, LONG_MAX),
            rework=min(made.rework, LONG_MAX),
            start_up=min(made.start_up, LONG_MAX),
            unseen=made.unseen,
        )
        for made in pieces
    )


def said(record: Kpi) -> bytes:
    """A digest of what a record says, whatever its revision."""
    content = msgspec.structs.replace(record, id="", status="", revision=0, inputs=None)
    return hashlib.blake2b(_digest(content), digest_size=16).digest()
