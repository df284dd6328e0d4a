"""How often a model has alarmed in 30 days: one that does so more often than its budget says so itself."""

import msgspec

from processors.anomaly.words import of_distrust
from processors.condition.finding import DAY, Finding
from topology.model.anomaly import AnomalyRule

WINDOW = 30 * DAY
KEPT_MAX = 1_024
"""Anomalies that are remembered; a budget is at most 1,000."""


class SavedBudget(msgspec.Struct, omit_defaults=True, gc=False):
    """As it is saved. Times µs."""

    told: list[int] = []
    """Begins of the anomalies of the last 30 days."""
    at: int = 0
    started_at: int | None = None
    finding: Finding | None = None


class Budget:
    """A watch over a model: wrong while there were more anomalies than its budget in 30 days."""

    __slots__ = ("_name", "_rule", "_s", "changed")

    def __init__(self, name: str, rule: AnomalyRule) -> None:
        self._name, self._rule = name, rule
        self._s = SavedBudget()
        self.changed = False

    @property
    def started_at(self) -> int | None:
        return self._s.started_at

    @property
    def finding(self) -> Finding | None:
        return self._s.finding

    @property
    def at(self) -> int:
        return self._s.at

    @property
    def suspects(self) -> bool:
        """All anomalies of the last 30 days are evidence."""
        return bool(self._s.told)

    @property
    def learning(self) -> bool:
        """It always knows."""
        return False

    @property
    def spent(self) -> bool:
        """Whether it is not to be trusted."""
        return self._s.started_at is not None

    def hear(self, at: int, found: Finding) -> None:
        """An anomaly begins at `at` (µs), in order of time."""
        of = self._s
        of.told, of.at = [*of.told, at][-KEPT_MAX:], max(of.at, at)
        self.changed = True
        self._judge(found)

    def advance(self, at: int) -> None:
        """Time has come to `at` (µs)."""
        of = self._s
        if of.told and of.told[0] < at - WINDOW:
            of.told = [begin for begin in of.told if begin >= at - WINDOW]
            of.at, self.changed = max(of.at, at), True
            self._judge(None)

    def repaired(self, at: int) -> None:
        """It has learnt anew."""
        self._s = SavedBudget(at=max(self._s.at, at), finding=self._s.finding)
        self.changed = True

    def _judge(self, found: Finding | None) -> None:
        of, number = self._s, len(self._s.told)
        if number <= self._rule.budget:
            of.started_at = None
            return
        if found is None:
            return
        if of.started_at is None:
            of.started_at = of.at
        of.finding = Finding(
            kind="model",
            severity="medium",
            subject=self._name,
            message="",
            value=float(number),
            limit=self._rule.budget,
            evidence_from=of.told[0],
            evidence_to=of.at,
            points=number,
            model=found.model,
            trained_from=found.trained_from,
            trained_to=found.trained_to,
        )
        of.finding.message = of_distrust(of.finding)

    def dump(self) -> SavedBudget:
        return self._s

    def load(self, state: msgspec.Raw) -> None:
        self._s = _decode(state)


_decode = msgspec.msgpack.Decoder(SavedBudget).decode
