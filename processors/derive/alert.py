"""Alerts: raised, acknowledged by a person, cleared by what caused them.

breakdown (high): as long as a stop of category breakdown. silent (medium): from the last sign of life, raised once the
silence is longer than the type's silent_after_s, to the next sign. quality (medium): from a point that completes a
Nelson rule until CLEAR_AFTER points of the control phase in a row complete none; a chart that starts anew ends nothing.
out_of_specification (high): from a point beyond a specification limit until CLEAR_AFTER times in a row all points are
within (processors.derive.specification). implausible_count (medium): from the first step of a counter in an hour that
nothing can have made, and that therefore counts nothing, to the hour's end.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from processors.base import Rejection
from processors.cell.cell import Cell
from processors.derive.derivation import Derivation, OwnFact, Saved
from processors.inputs.counters import refused
from processors.inputs.facts import unknown_alert
from processors.output.identity import parse
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import View
from processors.units import HOUR, INF
from schemas.records import Acknowledge, Alert, Derived

BREAKDOWN, SILENT, QUALITY = "alert.breakdown", "alert.silent", "alert.quality"
IMPLAUSIBLE = "alert.implausible_count"
CLEAR_AFTER = 8
"""Points in a row after which an alert about a characteristic clears; eight is the shortest run Nelson calls a pattern."""


class Point(NamedTuple):
    """The measured value that an alert begins with, the limit it breaks, and what was made."""

    value: float | None
    limit: float | None
    order: str | None
    product: str | None


NO_POINT = Point(None, None, None, None)


def publish(
    cell: Cell,
    kind: str,
    started_at: int,
    ended_at: int | None,
    closed: bool,
    inputs: tuple[int, int],
    *,
    severity: str,
    subject: str,
    message: str,
    cause: str,
    by: str | None = None,
    point: Point = NO_POINT,
) -> list[Derived]:
    """The alert's record if it says anything new. `by` acknowledges it; an acknowledgement stays."""
    known = cell.ledger.get(kind, started_at)
    if by is None and isinstance(known, Alert):
        by = known.acknowledged_by
    return cell.ledger.put(
        Alert,
        kind,
        started_at,
        ended_at,
        closed,
        inputs,
        kind=kind.split(".")[1],
        severity=severity,
        state="cleared" if ended_at is not None else "acknowledged" if by is not None else "raised",
        subject=subject,
        message=message,
        acknowledged_by=by,
        cause=cause,
        value=point.value,
        limit=point.limit,
        order=point.order,
        product=point.product,
    )


def standing(cell: Cell, kind: str) -> Alert | None:
    """The alert of a kind that has no end yet."""
    begun = cell.ledger.start_before(kind, INF)
    known = None if begun is None else cell.ledger.get(kind, begun)
    return known if isinstance(known, Alert) and known.ended_at is None else None


def withdraw(cell: Cell, kind: str, started_at: int) -> list[Derived]:
    """Takes an alert back that should never have been."""
    return cell.ledger.withdraw(kind, started_at, state="cleared")


def end(cell: Cell, kind: str, started_at: int, ended_at: int | None, closed: bool) -> list[Derived]:
    """Clears a published alert; without an end it goes on."""
    known = cell.ledger.get(kind, started_at)
    if not isinstance(known, Alert):
        return []
    return again(cell, kind, known, ended_at, closed)


def again(
    cell: Cell, kind: str, known: Alert, ended_at: int | None, closed: bool, by: str | None = None
) -> list[Derived]:
    """A published alert with another end, or acknowledged."""
    return publish(
        cell,
        kind,
        known.started_at,
        ended_at,
        closed,
        (known.inputs.first_offset, known.inputs.last_offset),
        severity=known.severity,
        subject=known.subject,
        message=known.message,
        cause=known.cause,
        by=by,
        point=Point(known.value, known.limit, known.order, known.product),
    )


class SilenceAlerts(Derivation):
    """Alerts for silences."""

    __slots__ = ()

    name = "silence"
    kinds = ("alert",)
    records = (Alert,)
    closes = True

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Alerts for the silences that begin in what changed, and for the one that began before the floor."""
        out: list[Derived] = []
        life, ledger = cell.timeline.life, cell.ledger
        spans = list(view.spans)
        if spans:
            newest = ledger.start_before(SILENT, INF)
            known = None if newest is None else ledger.get(SILENT, newest)
            over = known is None or (known.ended_at is not None and known.ended_at <= spans[0][0])
            if over and life.unbroken(spans[0][0], view.now):
                return out  # the usual case
            spans[:0] = [(at, at + 1) for at in sorted(self._across(cell, view))]
        for lo, hi in spans:
            gone = set(ledger.starts(SILENT, lo, hi))
            for quiet_from, quiet_to in life.gaps(lo, hi, view.now):
                gone.discard(quiet_from)
                ended_at = None if quiet_to == INF else quiet_to
                out += publish(
                    cell,
                    SILENT,
                    quiet_from,
                    ended_at,
                    ended_at is not None and ended_at <= view.watermark,
                    view.inputs(NO_OFFSET, NO_OFFSET),
                    severity="medium",
                    subject=cell.path,
                    message=f"{cell.path} is silent: nothing heard for more than {cell.type.silent_after_s:g} s",
                    cause=ledger.natural_id("state", quiet_from),
                )
            for started_at in sorted(gone):
                out += withdraw(cell, SILENT, started_at)
        return out

    @staticmethod
    def _across(cell: Cell, view: View) -> set[int]:
        """Begins before the floor of silences that reach over it: the one published, and one that is seen only now because
        no tick came for as long as the horizon."""
        life, ledger = cell.timeline.life, cell.ledger
        heard, _ = life.around(view.begin, view.begin)
        found = {at for at, until in life.gaps(heard, view.begin, view.now) if until > view.begin}
        published = ledger.start_before(SILENT, view.begin)
        known = None if published is None else ledger.get(SILENT, published)
        if published is not None and known is not None and (known.ended_at is None or known.ended_at > view.begin):
            found.add(published)
        return found


class ImplausibleCounts(Derivation):
    """Alerts for what counters showed and nothing can have made: one an hour in which there is any."""

    __slots__ = ()

    name = "implausible"
    kinds = ("alert",)
    records = (Alert,)
    closes = True

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        out: list[Derived] = []
        if not any(counter.odd for counter in cell.counters):
            return out
        hours = {hour for lo, hi in view.spans for hour in range(lo // HOUR, min(hi, view.now) // HOUR + 1)}
        for hour in sorted(hours):
            out += self._hour(cell, view, hour * HOUR, (hour + 1) * HOUR)
        return out

    def _hour(self, cell: Cell, view: View, start: int, end: int) -> list[Derived]:
        out: list[Derived] = []
        steps = sorted(
            (at, counter.tag, step, offset)
            for counter in cell.counters
            for at, step, offset in refused(counter, max(start, view.begin), end)
        )
        began = steps[0][0] if steps else None
        for started_at in cell.ledger.starts(IMPLAUSIBLE, start, end):
            if started_at != began:
                out += withdraw(cell, IMPLAUSIBLE, started_at)
        if began is None:
            return out
        by_tag: dict[str, list[int]] = {}
        for _, tag, step, _ in steps:
            by_tag.setdefault(tag, []).append(step)
        words = "; ".join(
            f"{tag}: {len(sizes)} step{'s' if len(sizes) > 1 else ''}, {sum(sizes)} in all"
            for tag, sizes in sorted(by_tag.items())
        )
        ended_at = end if end <= view.now else None
        return out + publish(
            cell,
            IMPLAUSIBLE,
            began,
            ended_at,
            ended_at is not None and ended_at <= view.watermark,
            view.inputs(min(step[3] for step in steps), max(step[3] for step in steps)),
            severity="medium",
            subject=cell.path,
            message=f"{cell.path} counted what it cannot have made; it is left out. {words}",
            cause=f"{cell.path}: {words}",
        )


class SavedAcknowledgements(msgspec.Struct, omit_defaults=True, gc=False):
    acknowledged: list[tuple[str, int, str]] = []


class Acknowledgements(Derivation):
    """A person's word that an alert has been seen: the alert's next revision."""

    __slots__ = ("_changed", "acknowledged")

    name = "acknowledgement"
    kinds = ("alert",)
    records = (Alert,)
    closes = True
    reads = (Acknowledge,)

    def __init__(self, cell: Cell) -> None:
        self.acknowledged: list[tuple[str, int, str]] = []
        """Alerts acknowledged since the last tick: (kind, started_at, by whom)."""
        self._changed = False

    def take(self, cell: Cell, fact: OwnFact, offset: int, oldest: int, newest: int) -> Rejection | None:
        assert isinstance(fact, Acknowledge)
        kind, started_at = parse(fact.alert)
        known = cell.ledger.get(kind, started_at) if kind.startswith("alert.") else None
        if known is None or (known.ended_at is not None and known.ended_at < oldest):
            return unknown_alert(fact)
        self.acknowledged.append((kind, started_at, fact.by))
        self._changed = True
        cell.expect_tick()
        return None

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """The new revisions of alerts acknowledged since the last refresh."""
        out: list[Derived] = []
        for kind, started_at, by in self.acknowledged:
            known = cell.ledger.get(kind, started_at)
            if isinstance(known, Alert):
                out += again(cell, kind, known, known.ended_at, known.status != "provisional", by)
        if self.acknowledged:
            self.acknowledged.clear()
            self._changed = True
        return out

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        if self._changed:
            self._changed = False
            yield "", SavedAcknowledgements(self.acknowledged) if self.acknowledged else None

    def load(self, saved: Saved, redefined: bool) -> None:
        self.acknowledged = msgspec.msgpack.decode(saved[""].state, type=SavedAcknowledgements).acknowledged
