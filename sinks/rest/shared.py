"""One object for many records: the first makes it, later ones are told of there, what it comes to keeps it up to date, and
it is closed when all of them are over. And sums over records.

Exactly once as everything here: a record is tied to its object before anything is sent, a comment is an object of its own
with an intent of its own, and what changes or closes an object sets it and adds nothing.
"""

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

from schemas.records import Derived
from schemas.text import calendar
from sinks.kit.answer import as_text, is_text
from sinks.kit.template import SUMS, UnfitValue, fill, fill_url
from sinks.rest.calls import Cancel
from sinks.rest.config import RequestMapping
from sinks.rest.grouping import GROUP_NAMES, Grouped, OpenThere
from sinks.rest.ledger import ObjectLedger, RemoteObject
from sinks.rest.objects import Done, Objects, fits, fits_when, may_fit
from sinks.rest.target import Refused, Target, Unproven
from sinks.rest.ties import Opened, Tie

_HOUR_US = 3_600_000_000
_ALL = 2**63 - 1


class _Step(NamedTuple):
    """One record on its way to its object."""

    mapping: RequestMapping
    group: Grouped
    record: Derived
    values: dict[str, Any]
    wanted: bool

    @property
    def name(self) -> str:
        return self.mapping.known_as

    @property
    def natural_id(self) -> str:
        return self.record.natural_id


class Shared:
    """The objects of one target, shared or not."""

    def __init__(self, objects: Objects, target: Target, ledger: ObjectLedger) -> None:
        self._objects, self._target, self._ledger, self._ties = objects, target, ledger, ledger.ties

    async def put(self, mapping: RequestMapping, record: Derived) -> Done:
        """Raises `Refused`, `Later`, `Failed` and `Retryable`."""
        if mapping.object is None:
            return await self._objects.put(mapping, record, self._summed(mapping, record))
        name, natural_id = mapping.known_as, record.natural_id
        tie = self._ties.find(name, natural_id) if is_text(record.id) else None
        if tie is not None and tie.revision >= record.revision:
            return Done()
        if tie is None and is_text(record.id) and self._ledger.find(name, natural_id) is not None:
            # Of a time before objects were shared here: it keeps the one it has.
            return await self._objects.put(mapping, record, alone(mapping, record, self._objects.values(record)))
        if tie is None and not may_fit(mapping, record):
            return Done()
        values = self._objects.values(record)
        step = _Step(mapping, mapping.object, record, values, fits_when(mapping, record, values))
        if tie is None or (step.wanted and self._is_gone(name, tie)):
            if not step.wanted:
                return Done()
            tie = await self._placed(step)
        done = self._withheld(step, tie) if tie.withheld else await self._told(step, tie)
        self._ties.deal(name, natural_id, record.revision)
        return done

    # -- where a record belongs --------------------------------------------------------------------------------

    async def _placed(self, step: _Step) -> Tie:
        """Ties a record: to the open object of its key, a new one, or, over the rate, another of its path or none."""
        name, record, group = step.name, step.record, step.group
        key = as_text(_filled(group.key, step.values))
        if key is None:
            raise Refused("unfit", f"{group.key!r} makes no key of {record.id!r}")
        opened = await self._still(step, self._ties.open_of(name, key))
        most = group.creates_per_h_max
        over = most is not None and self._ties.made_within(name, record.path, record.started_at, _HOUR_US) >= most
        if opened is None and over:
            opened = await self._still(step, self._ties.open_at(name, record.path))
        if opened is not None or over:
            opener = None if opened is None else opened.opener
            return self._ties.tie(name, step.natural_id, opener, record.path, record.started_at)
        return self._ties.open(name, step.natural_id, key, record.path, record.started_at)

    async def _still(self, step: _Step, opened: Opened | None) -> Opened | None:
        """The object, if it is still open; it is closed here where it is not."""
        if opened is None:
            return None
        idle_h, known = step.group.idle_h, self._ledger.find(step.name, opened.opener)
        idle = idle_h is not None and step.record.started_at - opened.last_at > idle_h * _HOUR_US
        if not idle and (known is None or await self._is_open_there(step, known)):
            return opened
        self._ties.close(step.name, opened.opener)
        return None

    async def _is_open_there(self, step: _Step, known: RemoteObject) -> bool:
        there = step.group.there
        if there is None or known.remote_id is None:
            return True
        values = {**step.values, "remote_id": known.remote_id}
        try:
            answer = await self._target.ask("GET", _url(there, values), None, values)
        except Refused as refused:
            if refused.reason in {f"http_{status}" for status in there.absent}:
                return False
            raise
        except Unproven as error:
            raise Refused("unproven", str(error)) from None
        return bool(_filled(there.open, {**values, **answer.values}))

    def _is_gone(self, name: str, tie: Tie) -> bool:
        """Whether the object was taken back and deleted: who fits again needs another."""
        known = self._ledger.find(name, tie.opener) if tie.opener else None
        return known is not None and known.cancelled and known.remote_id is None

    # -- what is sent ------------------------------------------------------------------------------------------

    def _withheld(self, step: _Step, tie: Tie) -> Done:
        self._ties.note(step.name, step.natural_id, 0, step.wanted, False)
        if tie.revision >= 0:
            return Done()
        words = f"{step.natural_id} has no object: more than {step.group.creates_per_h_max} of {step.record.path} in an hour"
        return Done(left=words)

    async def _told(self, step: _Step, tie: Tie) -> Done:
        """Makes the object, or tells of the record there."""
        name, opener = step.name, tie.opener or step.natural_id
        self._note(step, opener)
        opened = self._ties.opened(name, opener)
        if opened is None or opened.closed:
            return Done(left=f"revision {step.record.revision} of {step.natural_id} is not sent: its object is closed")
        known = await self._known(step, opener)
        if known is None or not known.there:
            if opener != step.natural_id:
                if not step.wanted:
                    return Done()
                self._ties.take_over(name, opener, step.natural_id)
            done = await self._objects.put(step.mapping, step.record, self._more(step, step.natural_id))
            self._ties.tell_withheld(name, step.record.path)
            return await self._closed(step, step.natural_id, done)
        if tie.revision >= 0 and not await self._is_open_there(step, known):
            self._ties.close(name, opener)
            return Done(
                left=f"revision {step.record.revision} of {step.natural_id} is not sent: its object is closed there"
            )
        return await self._closed(step, opener, await self._changed(step, tie, opener, known))

    async def _known(self, step: _Step, opener: str) -> RemoteObject | None:
        """What is known of an object; of one that another record may have made, once the target was asked."""
        known = self._ledger.find(step.name, opener)
        if known is None or known.there or opener == step.natural_id or known.unclear_since is None:
            return known
        return await self._objects.sought(step.mapping, known, {**step.values, "natural_id": opener})

    async def _changed(self, step: _Step, tie: Tie, opener: str, known: RemoteObject) -> Done:
        """Tells of a record at an object that is there."""
        mapping, first, sent = step.mapping, tie.revision < 0, False
        more = {**self._more(step, opener), "remote_id": known.remote_id}
        if opener == step.natural_id and first:
            return Done(sent=True)  # it was made of this record, and nobody saw the answer
        if first and step.wanted and mapping.comments is not None:
            sent = (await self._objects.put(mapping.comments, step.record, more)).sent
            self._ties.tell_withheld(step.name, step.record.path)
        cancelling = more["times"] == 0 and mapping.cancel is not None
        call = mapping.cancel if cancelling else mapping.update
        if call is not None and not (cancelling and known.cancelled):
            await self._objects.change(mapping, call, {**step.values, **more}, step.record.id)
            gone = isinstance(call, Cancel) and call.deletes
            if cancelling or known.cancelled:
                self._ledger.settle(step.name, opener, None if gone else known.remote_id, known.revision, cancelling)
            if gone:
                self._ties.close(step.name, opener)
            sent = True
        if call is not None or (first and mapping.comments is not None):
            return Done(sent)
        return Done(sent, f"revision {step.record.revision} of {step.natural_id} is not sent: there is no update")

    async def _closed(self, step: _Step, opener: str, done: Done) -> Done:
        """Closes the object if all its records are over."""
        group, name = step.group, step.name
        summary, known = self._ties.summary(name, opener), self._ledger.find(name, opener)
        if group.closed_when is None or not summary.times or not summary.over or known is None or not known.there:
            return done
        if group.close is not None:
            values = {**step.values, **self._more(step, opener), "remote_id": known.remote_id}
            try:
                await self._objects.change(step.mapping, group.close, values, f"{step.record.id}/close")
            except Refused as refused:
                if refused.reason not in ("http_404", "http_410"):
                    raise
            done = Done(sent=True)
        self._ties.close(name, opener)
        return done

    # -- what it comes to --------------------------------------------------------------------------------------

    def _note(self, step: _Step, opener: str) -> None:
        """Takes in what a record adds to its object."""
        record, group = step.record, step.group
        lasted_us = 0 if record.ended_at is None else record.ended_at - record.started_at
        over = group.closed_when is not None and fits(group.closed_when, record, step.values)
        self._ties.note(step.name, step.natural_id, lasted_us, step.wanted, over)
        if step.mapping.sums is not None:
            self._add(step.mapping, record, opener, step.values, step.wanted)

    def _more(self, step: _Step, opener: str) -> dict[str, Any]:
        """What templates may name of an object."""
        summary = self._ties.summary(step.name, opener)
        first_at, last_at = (None if at is None else calendar(at) for at in (summary.first_at, summary.last_at))
        withheld = self._ties.withheld(step.name, step.record.path)
        named = (summary.times, summary.lasted_us / 60_000_000, first_at, last_at, withheld)
        return {**dict(zip(GROUP_NAMES, named, strict=True)), **self._sums(step.mapping, opener, _ALL)}

    def _summed(self, mapping: RequestMapping, record: Derived) -> dict[str, Any]:
        """The sums up to a record that has an object of its own."""
        if mapping.sums is None or not is_text(record.id):
            return {}
        known = self._ledger.find(mapping.known_as, record.natural_id)
        if known is None and not may_fit(mapping, record):
            return {}
        values = self._objects.values(record)
        by = as_text(_filled(mapping.sums.by, values))
        if by is None:
            raise Refused("unfit", f"{mapping.sums.by!r} makes no text of {record.id!r}")
        if known is None or known.revision < record.revision:
            self._add(mapping, record, by, values, fits_when(mapping, record, values))
        return self._sums(mapping, by, record.started_at)

    def _add(self, mapping: RequestMapping, record: Derived, by: str, values: dict[str, Any], wanted: bool) -> None:
        sums = {} if mapping.sums is None or not wanted else mapping.sums.of
        summands = {name: _number(name, _filled(template, values)) for name, template in sums.items()}
        self._ties.add(mapping.known_as, record.natural_id, by, record.started_at, summands)

    def _sums(self, mapping: RequestMapping, by: str, until: int) -> dict[str, Any]:
        if mapping.sums is None:
            return {}
        totals = {name: self._ties.sum(mapping.known_as, by, name, until) for name in mapping.sums.of}
        whole = {name: int(total) if total.is_integer() else total for name, total in totals.items()}
        return {SUMS: SimpleNamespace(**whole)}


def alone(mapping: RequestMapping, record: Derived, values: dict[str, Any]) -> dict[str, Any]:
    """What templates may name of a record that has an object to itself. Pure. Raises `Refused`."""
    found: dict[str, Any] = {}
    if mapping.object is not None:
        at, ended_at = calendar(record.started_at), record.ended_at
        minutes = 0.0 if ended_at is None else (ended_at - record.started_at) / 60_000_000
        found |= zip(GROUP_NAMES, (1, minutes, at, at, 0), strict=True)
    if mapping.sums is not None:
        found[SUMS] = SimpleNamespace(
            **{name: _number(name, _filled(text, values)) for name, text in mapping.sums.of.items()}
        )
    return found


def _filled(template: str, values: dict[str, Any]) -> Any:
    """Raises `Refused`."""
    try:
        return fill(template, values)
    except UnfitValue as error:
        raise Refused("unfit", str(error)) from error


def _url(there: OpenThere, values: dict[str, Any]) -> str:
    try:
        return fill_url(there.url, values)
    except UnfitValue as error:
        raise Refused("unfit", str(error)) from error


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused("unfit", f"sums: {name} of this record is {str(value)[:80]!r}, and no number that can be added")
    return float(value)
