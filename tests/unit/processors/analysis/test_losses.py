"""Records and facts as observations: what holds when, what speaks for nobody, and which revisions count."""

from typing import Any

import pytest

from processors.analysis.held import History
from processors.analysis.losses import cycles, measured, pieces, points_of, stops
from processors.analysis.observations import Observation, Of
from schemas.records import Cycle, Downtime, Inputs, Lot, Order, Production, Quality, Shift, State

T0 = 1_795_000_000_000_000 // 3_600_000_000 * 3_600_000_000
MINUTE, HOUR = 60_000_000, 3_600_000_000
LINE = "acme/dallas/packaging/line-1"
CELL = f"{LINE}/filler"


def common(kind: str, begin: float, end: float | None, revision: int = 0, name: str = "") -> dict[str, Any]:
    start = T0 + round(begin * MINUTE)
    return {
        "id": f"{CELL}#{kind}{name}@{start}~iso22400@1:{revision}",
        "path": CELL,
        "started_at": start,
        "ended_at": None if end is None else T0 + round(end * MINUTE),
        "definition": "iso22400@1",
        "status": "final",
        "revision": revision,
        "inputs": Inputs("t", 0, 1, 2),
    }


def made(begin: float, good: int, scrap: int, revision: int = 0, **more: Any) -> Production:
    told = {"rework": 0, "order": None, "product": None, **more}
    return Production(**common("production", begin, begin + 1, revision), good=good, scrap=scrap, resets=0, **told)


def point(minute: float, value: float, phase: str = "control", revision: int = 0) -> Quality:
    none: dict[str, Any] = dict.fromkeys(("moving_range", "mean", "lcl", "ucl", "range_ucl", "lsl", "usl"))
    return Quality(
        **common("quality", minute, minute, revision), characteristic="Temp", value=value, phase=phase, rules=(), **none
    )


def lot(name: str, begin: float, end: float | None = None, **more: Any) -> Lot:
    ends = None if end is None else T0 + round(end * MINUTE)
    return Lot(id=name, started_at=T0 + round(begin * MINUTE), ended_at=ends, **{"material": "cap", **more})


def day(_path: str, at: int) -> str:
    return str(at // (24 * HOUR))


def told(
    records: list[Production], history: History | None = None, of: Of = Of.SCRAP, points: Any = None
) -> list[Observation]:
    return list(pieces(records, history or History(()), of, points or {}, day))


def test_pieces_and_the_newest_revision_alone() -> None:
    gone = made(5, 0, 0, 1)
    records = [made(0, 9, 1), made(0, 8, 2, 1), made(3, 5, 0, rework=5), made(4, 0, 0), gone]
    assert [(one.exposure, one.loss) for one in told(records)] == [(10, 2), (10, 0)]
    assert [(one.exposure, one.loss) for one in told(records, of=Of.FPY)] == [(10, 2), (10, 5)]
    taken_back = Production(**common("production", 0, 0, 2), good=0, scrap=0, resets=0, order=None, product=None)
    assert len(told([*records, taken_back])) == 1


def test_levels_come_from_facts_and_a_stretch_in_which_they_change_has_none() -> None:
    history = History(
        [
            (LINE, lot("L1", 0, supplier="Acme", attributes={"cavity": "3"})),
            (CELL, lot("L2", 10.5, 20, supplier="Globex")),
            (LINE, Shift(id="s1", name="early", started_at=T0, ended_at=T0 + HOUR, attributes={"team": "A"})),
            (LINE, Order(id="o1", product="cola", started_at=T0, attributes={"tool": "T1"})),
        ],
        lambda _path, at: at // HOUR % 24,
    )
    early, at_change = told([made(1, 9, 1, order="o1", product="cola"), made(10, 9, 1)], history)
    assert early.levels["lot"] == "L1"
    assert {name: early.levels[name] for name in ("supplier", "cavity", "team", "tool", "shift", "product")} == {
        "supplier": "Acme",
        "cavity": "3",
        "team": "A",
        "tool": "T1",
        "shift": "early",
        "product": "cola",
    }
    assert (early.clusters["supplier"], early.clusters["team"], early.clusters["tool"]) == ("L1", "s1", "o1")
    assert "lot" not in early.clusters
    assert (early.period, early.levels["machine"], early.levels["line"]) == ("s1", CELL, LINE)
    assert {"lot", "supplier", "cavity"}.isdisjoint(at_change.levels)
    assert at_change.levels["shift"] == "early"


def test_a_later_fact_replaces_and_one_taken_back_is_none() -> None:
    history = History([(LINE, lot("L1", 0, supplier="A")), (LINE, lot("L1", 0, supplier="B"))])
    assert history.holding(CELL, T0, T0 + 1).levels["supplier"] == "B"
    assert "lot" not in History([(LINE, lot("L1", 0)), (LINE, lot("L1", 0, 0))]).holding(CELL, T0, T0 + 1).levels


def test_materials_and_attributes_that_would_be_mixed_up_say_whose_they_are() -> None:
    order = Order(id="o", product="p", started_at=T0, attributes={"colour": "red", "lot": "x"})
    history = History(
        [(LINE, lot("L1", 0, attributes={"colour": "blue"})), (LINE, lot("B1", 0, material="bottle")), (LINE, order)]
    )
    levels = history.holding(CELL, T0, T0 + 1).levels
    assert (levels["lot of cap"], levels["lot of bottle"]) == ("L1", "B1")
    assert (levels["lot of cap colour"], levels["order colour"], levels["order lot"]) == ("blue", "red", "x")


def test_process_values_are_means_of_the_minute_else_the_last_of_the_hour_before() -> None:
    points = points_of([point(1.1, 10.0), point(1.2, 20.0), point(1.2, 30.0, revision=1), point(3, 99.0, "withdrawn")])
    found = told([made(1, 9, 1), made(40, 9, 1), made(70, 9, 1)], points=points)
    assert [dict(one.values) for one in found] == [{"Temp": 20.0}, {"Temp": 30.0}, {}]


def test_cycles_and_values_carry_their_amounts() -> None:
    none: dict[str, Any] = dict.fromkeys(
        (
            "min_us",
            "p5_us",
            "p10_us",
            "median_us",
            "p95_us",
            "max_us",
            "mean_us",
            "ideal_cycle_us",
            "suspicion",
            "suggested_ideal_us",
        )
    )
    hour = Cycle(
        **common("cycle", 0, 60), product="cola", cycles=10, interrupted=0, cycles_us=65_000_000, slow=0, **none
    )
    (one,) = cycles([hour], History(()), day)
    assert (one.exposure, one.loss, one.levels["product"]) == (10, 65.0, "cola")
    values = list(measured([point(1, 3.5), point(2, 4.5)], "Temp", History([(CELL, lot("L1", 1.5))]), day))
    assert [(one.loss, one.levels.get("lot")) for one in values] == [(3.5, None), (4.5, "L1")]


def state(begin: float, end: float, element: str) -> State:
    return State(**common("state", begin, end), state="execute", mode="production", element=element)


def down(begin: float, end: float) -> Downtime:
    return Downtime(
        **common("downtime", begin, end),
        kind="stop",
        state="held",
        reason_code=None,
        reason=None,
        category=None,
        order=None,
    )


def test_stops_are_minutes_of_planned_time_cut_where_something_changes() -> None:
    states = [state(0, 30, "APT"), state(30, 50, "ADOT"), state(50, 90, "APT"), state(90, 120, "unplanned")]
    history = History([(CELL, lot("L1", 0)), (CELL, lot("L2", 40))])
    found = list(stops(states, [down(30, 50), down(85, 95)], history, {"unplanned"}, day))
    assert [(round(one.exposure * 60), one.loss, one.levels["lot"]) for one in found] == [
        (40, 10.0, "L1"),
        (20, 10.0, "L2"),
        (30, 5.0, "L2"),
    ]
    assert sum(one.exposure for one in found) == pytest.approx(1.5)
