"""What becomes of an alert that has been raised: acknowledged by people, hidden and shown again by facts and by the machine."""

from collections.abc import Iterator

import msgspec

from processors.base import Rejection
from processors.cell.cell import Cell
from processors.derive import alert
from processors.derive.derivation import Derivation, Saved
from processors.derive.hiding import suppressible, told
from processors.inputs.facts import OwnFact, unknown_alert
from processors.output.identity import parse
from processors.timeline.view import View
from schemas.records import Acknowledge, Alert, Derived

ACTIONS = ("acknowledge", "reset")


class Taken(msgspec.Struct, omit_defaults=True, gc=False, array_like=True):
    """An acknowledgement that no tick has derived yet."""

    kind: str
    started_at: int
    by: str
    at: int | None = None
    comment: str | None = None


class SavedAcknowledgements(msgspec.Struct, omit_defaults=True, gc=False):
    acknowledged: list[Taken] = []
    """Releases before alarm rules saved the first three of each."""


class Acknowledgements(Derivation):
    """A person's word that an alert has been seen: the alert's next revision."""

    __slots__ = ("_changed", "acknowledged")

    name = "acknowledgement"
    kinds = ("alert",)
    records = (Alert,)
    closes = True
    reads = (Acknowledge,)

    def __init__(self, cell: Cell) -> None:
        self.acknowledged: list[Taken] = []
        """Alerts acknowledged since the last tick."""
        self._changed = False

    def take(self, cell: Cell, fact: OwnFact, offset: int, oldest: int, newest: int) -> Rejection | None:
        assert isinstance(fact, Acknowledge)
        if fact.action not in ACTIONS:
            words = f"action {fact.action!r} is not known; there are {', '.join(ACTIONS)}"
            return Rejection("unknown_action", f"{cell.path}: {words}")
        kind, started_at = parse(fact.alert)
        known = cell.ledger.get(kind, started_at) if kind.startswith("alert.") else None
        if known is None or (known.ended_at is not None and known.ended_at < oldest):
            return unknown_alert(fact)
        self.acknowledged.append(Taken(kind, started_at, fact.by, fact.at, fact.comment))
        self._changed = True
        cell.expect_tick()
        return None

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """The new revisions of alerts acknowledged since the last refresh, and of those hidden or shown again."""
        out: list[Derived] = []
        for of in self.acknowledged:
            known = cell.ledger.get(of.kind, of.started_at)
            if isinstance(known, Alert):
                seen = alert.Seen(of.by, of.at, of.comment)
                out += alert.again(cell, of.kind, known, known.ended_at, known.status != "provisional", seen)
        if self.acknowledged:
            self.acknowledged.clear()
            self._changed = True
        return out + self._show(cell, view)

    def _show(self, cell: Cell, view: View) -> list[Derived]:
        """Revisions of standing alerts that are hidden now, or shown again; where something came late, of past ones too."""
        before = view.previous_watermark + (view.now - view.watermark)  # the tick of the refresh before
        hides = bool(told(cell)) or any(map(suppressible, cell.alarms.values()))
        out: list[Derived] = []
        for kind, started_at in sorted(cell.ledger.lasting):
            known = cell.ledger.get(kind, started_at)
            # one hidden is shown again though the fact that hid it may be gone
            if isinstance(known, Alert) and (hides or known.hidden_by is not None):
                out += alert.again(cell, kind, known, None, known.status != "provisional")
        late = bool(view.spans) and view.spans[0][0] < before
        if not hides or not late:
            return out
        for kind in [kind for kind in cell.ledger.kinds() if kind.startswith("alert.")]:
            for start, end in view.spans:
                starts = cell.ledger.starts(kind, start, end)
                first = cell.ledger.start_before(kind, start)
                for started_at in starts if first is None else [first, *starts]:
                    known = cell.ledger.get(kind, started_at)
                    if isinstance(known, Alert) and known.ended_at is not None and not known.withdrawn:
                        out += alert.again(cell, kind, known, known.ended_at, known.status != "provisional")
        return out

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        if self._changed:
            self._changed = False
            yield "", SavedAcknowledgements(self.acknowledged) if self.acknowledged else None

    def load(self, saved: Saved, redefined: bool) -> None:
        self.acknowledged = msgspec.msgpack.decode(saved[""].state, type=SavedAcknowledgements).acknowledged
