"""Alerts: raised, acknowledged by a person, cleared by what caused them.

breakdown (high): as long as a stop of category breakdown. silent (medium): from the last sign of life, raised once the
silence is longer than the type's silent_after_s, to the next sign. quality (medium): from a point that completes a
Nelson rule until CLEAR_AFTER points in a row complete none, or the chart starts anew.
"""

from collections.abc import Iterator

import msgspec

from processors.base import Rejection
from processors.cell.cell import Cell
from processors.derive.derivation import Derivation, OwnFact, Saved
from processors.inputs.facts import unknown_alert
from processors.output.identity import parse
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import View
from processors.units import INF
from schemas.records import Acknowledge, Alert, Derived

BREAKDOWN, SILENT, QUALITY = "alert.breakdown", "alert.silent", "alert.quality"
CLEAR_AFTER = 8
"""Points in a row without a rule after which a quality alert clears; eight is the shortest run Nelson calls a pattern."""


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
    )


def withdraw(cell: Cell, kind: str, started_at: int) -> list[Derived]:
    """Takes an alert back that should never have been."""
    return cell.ledger.withdraw(kind, started_at, state="cleared")


def end(cell: Cell, kind: str, started_at: int, ended_at: int, closed: bool) -> list[Derived]:
    """Clears a published alert."""
    known = cell.ledger.get(kind, started_at)
    if not isinstance(known, Alert):
        return []
    return _again(cell, kind, known, ended_at, closed)


def _again(
    cell: Cell, kind: str, known: Alert, ended_at: int | None, closed: bool, by: str | None = None
) -> list[Derived]:
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
    )


class SilenceAlerts(Derivation):
    """Alerts for silences."""

    __slots__ = ()

    name = "silence"
    kinds = ("alert",)
    records = (Alert,)
    closes = True

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Alerts for the silences that begin in what changed."""
        out: list[Derived] = []
        life, ledger = cell.timeline.life, cell.ledger
        for lo, hi in view.spans:
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


class SavedAcknowledgements(msgspec.Struct, omit_defaults=True, gc=False):
    acknowledged: list[tuple[str, int, str]] = []


class Acknowledgements(Derivation):
    """A person's word that an alert has been seen: the alert's next revision."""

    __slots__ = ("_changed", "acknowledged")

    name = "acknowledgement"
    kinds = ("alert",)
    records = (Alert,)
    closes = True
    reads = Acknowledge

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
                out += _again(cell, kind, known, known.ended_at, known.status != "provisional", by)
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
