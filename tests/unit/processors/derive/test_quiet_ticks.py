"""At a tick at which nothing but time has passed, what rests is not asked, and says the same as if it were."""

import pytest

from processors import cell_fold
from processors.cell.cell import Cell
from processors.derive.derivation import Derivation
from processors.derive.downtime import DowntimeRecords
from processors.derive.order import OF_CELL
from processors.timeline.view import View
from schemas.records import Derived, Order, Reason, Shift
from tests.harness.line_logs import CELL, EXECUTE, HELD, IDLE, LINE, T0, Run, S, Told, plant, samples, tick

PLAN: list[Told] = [
    (LINE, Shift(id="early", name="early", started_at=T0 - 100 * S, ended_at=T0 + 500 * S)),
    (LINE, Order(id="o1", product="cola", started_at=T0 + 30 * S, ended_at=T0 + 250 * S)),
    (LINE, Order(id="o2", product="mate", started_at=T0 + 310 * S, ended_at=T0 + 420 * S)),
]


def told(state: int, *more: tuple[int, Told]) -> list[Told]:
    """Ten minutes, a second at a time: the machine runs, and is in one state from the third minute to the eighth."""
    log = list(PLAN)
    for n in range(600):
        log += [fact for at, fact in more if at == n]
        now = state if 150 <= n < 460 else EXECUTE
        log += [samples(T0 + n * S - S // 2, State=now, Good=n // 5 if now == EXECUTE else 30), tick(T0 + n * S)]
    return log


def said(log: list[Told]) -> list[Derived]:
    return Run(plant(provisional_s=60, kpi_s=120)).feed(log).records


LOGS = {
    "held": told(HELD),
    "idle": told(IDLE),
    "with a code": told(
        HELD, (200, samples(T0 + 199 * S, StopReason=101)), (300, samples(T0 + 299 * S, StopReason=201))
    ),
    "with a reason told before it holds": told(
        HELD,
        (180, (CELL, Reason(id="r", code=201, by="ann", started_at=T0 + 240 * S, ended_at=T0 + 280 * S))),
    ),
}


@pytest.mark.parametrize("name", LOGS)
def test_the_same_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = said(LOGS[name])
    monkeypatch.setattr(cell_fold, "RESTLESS", cell_fold.DERIVE)
    monkeypatch.setattr(DowntimeRecords, "_rests", lambda self, cell, view: False)
    assert ours == said(LOGS[name])
    assert {record.message_class for record in ours} >= {"state", "downtime", "oee", "kpi", "production"}


def test_most_ticks_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[type[Derivation]] = []

    def listened(derivation: type[Derivation]) -> None:
        derive = derivation.derive

        def heard(self: Derivation, cell: Cell, view: View) -> list[Derived]:
            asked.append(derivation)
            return derive(self, cell, view)

        monkeypatch.setattr(derivation, "derive", heard)

    for derivation in OF_CELL:
        if derivation.rests:
            listened(derivation)
    said(LOGS["held"])
    assert {derivation for derivation in OF_CELL if derivation.rests} == set(asked)
    assert len(asked) < 600 * len(set(asked)) / 4
