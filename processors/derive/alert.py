"""Alerts: raised, acknowledged by a person, cleared by what caused them; `processors.derive.alarm` has those of rules.

breakdown (high): as long as a stop of category breakdown. silent (medium): from the last sign of life, raised once the
silence is longer than the type's silent_after_s, to the next sign. quality (medium): from a point that completes a
Nelson rule until CLEAR_AFTER points of the control phase in a row complete none; a chart that starts anew ends nothing.
out_of_specification (high): from a point beyond a specification limit until CLEAR_AFTER times in a row all points are
within (processors.derive.specification). implausible_count (medium): from the first step of a counter in an hour that
nothing can have made, and that therefore counts nothing, to the hour's end.
"""

from typing import NamedTuple

from processors.alarms.life import edges, life
from processors.cell.cell import Cell
from processors.derive.derivation import Derivation
from processors.derive.hiding import hidden, told
from processors.inputs.counters import refused
from processors.output.withdrawal import emptied
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import View
from processors.units import HOUR, INF
from schemas.records import Alert, Derived

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


class Seen(NamedTuple):
    """Who acknowledged an alert, when, and with which words."""

    by: str | None = None
    at: int | None = None
    comment: str | None = None


NOBODY = Seen()


class Course(NamedTuple):
    """What only an alarm of a rule has."""

    returned_at: int | None = None
    group: str | None = None
    first_out: bool | None = None


SIMPLE = Course()


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
    seen: Seen = NOBODY,
    point: Point = NO_POINT,
    course: Course = SIMPLE,
) -> list[Derived]:
    """The alert's record if it says anything new. `seen` acknowledges it; an acknowledgement stays."""
    known = cell.ledger.get(kind, started_at)
    if seen.by is None and isinstance(known, Alert):
        seen = Seen(known.acknowledged_by, known.acknowledged_at, known.comment)
    _, _, name = kind.partition(".")
    alarm = cell.alarms.get(name.partition(".")[2])
    alarm = alarm if alarm is not None and alarm.kind == kind else None
    name = name if alarm is None else alarm.name
    returned_at = course.returned_at if alarm is not None else ended_at
    facts = told(cell)
    spans = hidden(cell, name, alarm, course.group, started_at, cell.now, facts) if facts or alarm else []
    now = max(cell.now, started_at)
    said = life(started_at, returned_at, ended_at, seen.by is not None, spans, now, *_remembered(cell, known))
    if ended_at is None and (edge := min(edges(spans, now), default=None)) is not None:
        cell.wake_at(edge - 1)
    return cell.ledger.put(
        Alert,
        kind,
        started_at,
        ended_at,
        closed,
        inputs,
        kind=kind.split(".")[1],
        severity=severity,
        state=said.state,
        subject=subject,
        message=message,
        acknowledged_by=seen.by,
        acknowledged_at=seen.at,
        comment=seen.comment,
        cause=cause,
        value=point.value,
        limit=point.limit,
        order=point.order,
        product=point.product,
        alarm=name,
        alarm_state=said.alarm_state,
        returned_at=returned_at,
        annunciated_at=said.annunciated_at,
        hidden_by=said.hidden_by,
        hidden_until=said.hidden_until,
        group=course.group,
        first_out=course.first_out,
    )


def _remembered(cell: Cell, known: Derived | None) -> tuple[int | None, int]:
    """When the operator was told of a published alert, if before the floor; and from when on that is to be found out."""
    if not isinstance(known, Alert) or known.started_at >= cell.floor:
        return None, 0
    if known.alarm is None:  # by a release that hid nothing
        return known.started_at, cell.floor
    told_at = known.annunciated_at
    return (told_at if told_at is not None and told_at < cell.floor else None), cell.floor


def standing(cell: Cell, kind: str) -> Alert | None:
    """The alert of a kind that has no end yet."""
    begun = cell.ledger.start_before(kind, INF)
    known = None if begun is None else cell.ledger.get(kind, begun)
    return known if isinstance(known, Alert) and known.ended_at is None else None


def withdraw(cell: Cell, kind: str, started_at: int) -> list[Derived]:
    """Takes an alert back that should never have been."""
    return cell.ledger.withdraw(kind, started_at, **emptied(cell.ledger.get(kind, started_at)))


def end(cell: Cell, kind: str, started_at: int, ended_at: int | None, closed: bool) -> list[Derived]:
    """Clears a published alert; without an end it goes on."""
    known = cell.ledger.get(kind, started_at)
    if not isinstance(known, Alert):
        return []
    return again(cell, kind, known, ended_at, closed)


def again(
    cell: Cell, kind: str, known: Alert, ended_at: int | None, closed: bool, seen: Seen = NOBODY
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
        seen=seen,
        point=Point(known.value, known.limit, known.order, known.product),
        course=Course(known.returned_at, known.group, known.first_out),
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
