"""From machines to the enterprise: hand-computed wholes, and the order of arrival, which must not matter."""

import msgspec
import pytest

from processors.rollup.fold import Taken
from schemas.codec import Codec
from schemas.records import TYPES, Kpi, KpiStops, Order
from tests.harness import line_logs
from tests.harness.kpi_records import (
    CAPPER,
    CELLS,
    DALLAS,
    DEFINITION,
    FILLER,
    HOUR,
    LEIPZIG,
    LINE_1,
    MINUTE,
    OVEN,
    PRESS,
    ROBOT,
    T0,
    Run,
    kpi,
    pieces,
    plant,
)

LINE_2 = f"{DALLAS}/line-2"
CODEC = Codec({name: number for number, name in enumerate(TYPES, start=1)})


def hour_of_line_1() -> list[Kpi]:
    """The filler ran 50 min (6 s a piece), the capper 40 min (4 s), the robot counts nothing."""
    return [
        kpi(FILLER, elements={"APT": 50 * MINUTE, "ADET": 10 * MINUTE}, made=[pieces(440, 20)], quantities={"FE": 1}),
        kpi(
            CAPPER,
            elements={"APT": 40 * MINUTE, "ADET": 20 * MINUTE},
            made=[pieces(400, 10, 5, 4)],
            quantities={"FE": 2},
        ),
        kpi(ROBOT, elements={"APT": 60 * MINUTE}),
    ]


def test_a_line_is_what_left_it_against_what_its_bottleneck_could_have_made() -> None:
    line = Run().feed(*hour_of_line_1()).at(LINE_1)
    assert line.rule == f"end_of_line {CAPPER} bottleneck {FILLER}"
    assert line.element_us == {**dict.fromkeys(DEFINITION.elements, 0), "APT": 50 * MINUTE, "ADET": 10 * MINUTE}
    # 400 good left; scrap of the filler (20) and the capper (10) has cost the filler's time, 6 s each
    assert line.pieces == (pieces(400, 30, 5, 6),)
    assert line.values["oee"] == pytest.approx(400 * 6 / 3600)
    assert line.values["availability"] == pytest.approx(50 / 60)
    assert line.values["performance"] == pytest.approx(435 * 6 / 3000)
    assert line.values["quality"] == pytest.approx(400 / 435)
    assert line.values["rty"] == pytest.approx(440 / 460 * 400 / 415)
    assert line.quantities["PQF"] == 460
    assert line.quantities["FE"] == 3
    assert line.parts == (CAPPER, FILLER, ROBOT)
    assert (line.status, line.revision) == ("final", 0)


def test_the_bottleneck_speaks_for_a_line_whose_rule_says_so() -> None:
    by_name = plant({"kpi_rule": "bottleneck", "bottleneck": "capper"})
    line = Run(by_name).feed(*hour_of_line_1()).at(LINE_1)
    assert line.rule == f"bottleneck {CAPPER}"
    assert line.pieces == (pieces(400, 10, 5, 4),)
    assert line.values["oee"] == pytest.approx(400 * 4 / 3600)
    assert line.quantities["PQF"] == 460
    found = Run(plant({"kpi_rule": "bottleneck"})).feed(*hour_of_line_1()).at(LINE_1)
    assert found.rule == f"bottleneck {FILLER}"


def test_an_orders_ideal_cycle_holds_for_the_whole_line() -> None:
    made = [pieces(100, product="cola", cycle_s=2)]
    line = Run().feed(kpi(FILLER, made=made), kpi(CAPPER, made=[pieces(90, product="cola", cycle_s=2)])).at(LINE_1)
    assert line.pieces == (pieces(90, product="cola", cycle_s=2),)


def test_an_area_sums_lines_not_machines_and_never_averages() -> None:
    run = Run().feed(*hour_of_line_1(), kpi(PRESS, elements={"ADOT": 60 * MINUTE}, made=[]))
    area = run.at(DALLAS)
    assert area.values["oee"] == pytest.approx(400 * 6 / 7200)
    assert area.values["availability"] == pytest.approx(50 / 120)
    assert sum(one.good for one in area.pieces) == 400
    assert sum(area.element_us.values()) == 2 * HOUR
    assert area.parts == (LINE_1, LINE_2)
    assert "rty" not in area.values
    assert run.at("acme").values == {k: v for k, v in area.values.items() if k != "pieces_per_hour"}


def test_a_quantity_that_one_part_does_not_know_is_not_known() -> None:
    run = Run().feed(kpi(FILLER, quantities={"E": 2.0}), kpi(CAPPER), kpi(PRESS, quantities={"E": 1.0}))
    assert "E" not in run.at(LINE_1).quantities
    assert run.at(LINE_2).quantities["E"] == 1
    assert "E" not in run.at(DALLAS).quantities


def test_stops_are_merged_by_reason() -> None:
    jam = KpiStops(reason_code=1, reason="jam", category="micro", count=2, stopped_us=MINUTE)
    run = Run().feed(kpi(FILLER, stops=[jam]), kpi(PRESS, stops=[jam, msgspec.structs.replace(jam, reason_code=None)]))
    assert [(one.reason_code, one.count, one.stopped_us) for one in run.at(DALLAS).stops] == [
        (1, 4, 2 * MINUTE),
        (None, 2, MINUTE),
    ]


def test_a_sites_own_kpis_are_computed_up_to_the_site() -> None:
    run = Run().feed(kpi(FILLER, made=[pieces(120)]), kpi(OVEN, made=[pieces(3, cycle_s=20)]))
    for path in (LINE_1, DALLAS, "acme/dallas"):
        assert run.at(path).values["pieces_per_hour"] == 120 or path == LINE_1
    assert "pieces_per_hour" not in run.at(LEIPZIG).values
    assert "pieces_per_hour" not in run.at("acme").values


def test_a_whole_is_provisional_until_every_machine_has_come_so_far() -> None:
    run = Run().feed(
        kpi(FILLER, end=None, elements={"APT": MINUTE}, status="provisional"),
        kpi(PRESS, end=None, elements={"APT": MINUTE}, status="provisional"),
    )
    run.feed(kpi(FILLER, revision=1))
    assert (run.at(LINE_1).status, run.at(LINE_1).ended_at) == ("final", T0 + HOUR)
    assert (run.at(DALLAS).status, run.at(DALLAS).ended_at) == ("provisional", None)
    run.feed(kpi(PRESS, revision=1))
    assert (run.at(DALLAS).status, run.at(DALLAS).ended_at) == ("final", T0 + HOUR)
    run.feed(kpi(PRESS, revision=2, made=[pieces(1, cycle_s=10)]))
    assert (run.at(DALLAS).status, run.at("acme").status, run.at(LINE_1).status) == ("corrected", "corrected", "final")


def test_a_whole_waits_for_a_machine_that_has_no_part_in_it_yet() -> None:
    before = kpi(PRESS, T0 - HOUR, T0)
    run = Run().feed(before, kpi(FILLER))
    assert run.at(LINE_1).status == "final"
    (area,) = (r for r in run.standing().values() if r.path == DALLAS and r.started_at == T0)
    assert area.status == "provisional"
    run.feed(kpi(PRESS))
    (area,) = (r for r in run.standing().values() if r.path == DALLAS and r.started_at == T0)
    assert (area.status, area.parts) == ("final", (LINE_1, LINE_2))


def test_a_machine_that_is_a_horizon_behind_is_not_waited_for() -> None:
    run = Run(horizon_us=3 * HOUR).feed(kpi(PRESS, T0 - 9 * HOUR, T0 - 8 * HOUR), kpi(FILLER))
    (area,) = (r for r in run.standing().values() if r.path == DALLAS and r.started_at == T0)
    assert area.status == "final"


def test_a_withdrawn_part_counts_no_more_and_without_parts_the_whole_is_withdrawn() -> None:
    run = Run().feed(kpi(FILLER, window="shift", name="s1", made=[pieces(5)]), kpi(PRESS, window="shift", name="s1"))
    run.feed(kpi(FILLER, window="shift", name="s1", end=T0, elements={}, revision=1))
    assert run.at(DALLAS, "shift").parts == (LINE_2,)
    assert not [r for r in run.standing().values() if r.path == LINE_1]
    run.feed(kpi(PRESS, window="shift", name="s1", end=T0, elements={}, revision=1))
    assert run.standing() == {}
    gone = [r for r in run.said if r.path == DALLAS][-1]
    assert (gone.ended_at, set(gone.element_us.values()), gone.pieces, gone.parts) == (T0, {0}, (), ())
    assert set(gone.values.values()) == {None}
    run.feed(kpi(PRESS, window="shift", name="s1", revision=2))
    assert (run.at(DALLAS, "shift").status, run.at(DALLAS, "shift").parts) == ("corrected", (LINE_2,))


def test_an_order_over_several_machines_is_one_of_the_line_and_goes_no_higher() -> None:
    late = kpi(
        CAPPER,
        T0 + MINUTE,
        T0 + 2 * HOUR,
        window="order",
        name="4711",
        product="cola",
        quantities={"AOET": 119.0 * MINUTE},
    )
    run = Run().feed(late, kpi(CAPPER, T0 + HOUR, T0 + 3 * HOUR))
    assert run.at(LINE_1, "order").started_at == T0 + MINUTE
    run.feed(
        kpi(FILLER, window="order", name="4711", product="cola", quantities={"AOET": 60.0 * MINUTE}),
        kpi(FILLER, T0 + HOUR, T0 + 3 * HOUR),
    )
    order = run.at(LINE_1, "order")  # one stands: the one that began later was taken back
    assert (order.started_at, order.ended_at, order.order, order.product) == (T0, T0 + 2 * HOUR, "4711", "cola")
    assert order.quantities["AOET"] == 2 * HOUR
    assert {r.path for r in run.standing().values() if r.window == "order"} == {LINE_1}


def test_days_meet_by_their_name_over_time_zones() -> None:
    day = 24 * HOUR
    berlin = T0 - 7 * HOUR  # midnight in Leipzig
    run = Run().feed(
        kpi(OVEN, berlin, berlin + day, window="day", name="2026-11-23", made=[pieces(10, cycle_s=20)]),
        kpi(OVEN, berlin, berlin + day, window="product", product="cola"),
    )
    assert run.at("acme", "day").status == "provisional"  # Chicago's day still runs
    run.feed(
        kpi(PRESS, T0, T0 + day, window="day", name="2026-11-23", made=[pieces(20, cycle_s=10)]),
        kpi(PRESS, T0, T0 + day, window="product", product="cola"),
        kpi(OVEN, berlin + day, T0 + day),
    )
    for window, name in (("day", "2026-11-23"), ("product", "cola")):
        whole = run.at("acme", window)
        assert (whole.started_at, whole.ended_at, whole.window_name) == (berlin, T0 + day, name)
        assert whole.parts == ("acme/dallas", "acme/leipzig")
        assert sum(whole.element_us.values()) == 2 * day
        assert whole.status == "final"


@pytest.mark.parametrize(
    ("record", "taken"),
    [
        (kpi(FILLER, label="iso22400@1"), Taken.OTHER_DEFINITION),
        (kpi(f"{LINE_1}/labeller"), Taken.UNKNOWN_PATH),
        (kpi(FILLER, window="month", name="2026-11"), Taken.UNKNOWN_WINDOW),
        (kpi(FILLER, window="day", name="monday"), Taken.UNKNOWN_WINDOW),
        (msgspec.structs.replace(kpi(FILLER), element_us={"RUN": HOUR}), Taken.UNKNOWN_ELEMENT),
        (kpi(FILLER, T0 - 60 * HOUR, T0 - 59 * HOUR), Taken.LATE),
    ],
)
def test_what_is_not_rolled_up_says_why_and_changes_nothing(record: Kpi, taken: Taken) -> None:
    run = Run().feed(kpi(FILLER))
    assert run.fold.take(record) is taken
    assert run.fold.derive() == []


def test_a_part_that_is_known_is_corrected_however_late_its_withdrawal_seems() -> None:
    order = kpi(
        FILLER, T0 - 70 * HOUR, None, window="order", name="1", status="provisional", elements={"APT": 70 * HOUR}
    )
    run = Run().feed(order, kpi(FILLER))
    run.feed(kpi(FILLER, T0 - 70 * HOUR, T0 - 70 * HOUR, window="order", name="1", revision=1, elements={}))
    assert not [r for r in run.standing().values() if r.window == "order"]


def test_memory_is_bounded_by_the_horizon() -> None:
    run, sizes = Run(horizon_us=5 * HOUR), []
    for hour in range(40):
        start = T0 + hour * HOUR
        run.feed(*(kpi(path, start, start + HOUR, offset=hour) for path in CELLS))
        sizes.append(run.fold.windows)
    assert max(sizes[10:]) == min(sizes[10:])
    forgotten = set(run.fold.forgotten())
    assert {kpi(path).natural_id for path in CELLS} < forgotten
    assert not {r.natural_id for r in run.said[-8:]} & forgotten


# -- any records, in any order ----------------------------------------------------------------------------------------


def test_the_line_folds_own_records_roll_up() -> None:
    model = line_logs.plant(kpi_s=60)
    told: list[line_logs.Told] = [
        (line_logs.LINE, Order(id="4711", product="cola", started_at=line_logs.T0, ended_at=line_logs.T0 + HOUR))
    ]
    for number, path in enumerate((line_logs.CELL, line_logs.OTHER)):
        told.append(line_logs.samples(line_logs.T0, path=path, State=line_logs.EXECUTE, Good=0, Scrap=0))
        for at in range(line_logs.T0, line_logs.T0 + 3 * HOUR, 30 * line_logs.S):
            made = (at - line_logs.T0) // (30 * line_logs.S)
            told.append(line_logs.samples(at, path=path, Good=made * 4 - number, Scrap=made // 9))
    log = line_logs.Run(model).feed(
        line_logs.ordered([*told, *line_logs.ticks(line_logs.T0, line_logs.T0 + 3 * HOUR + MINUTE)])
    )
    run = Run(model)
    cells = [record for record in log.outputs if isinstance(record, Kpi)]
    assert {run.fold.take(record) for record in cells} == {Taken.PART}
    run.feed()
    hours = [r for r in run.standing().values() if r.window == "hour" and r.path == line_logs.LINE and r.ended_at]
    assert [r.status for r in hours] == ["final"] * 3
    order = run.at(line_logs.LINE, "order")
    assert (order.ended_at, order.status, order.product) == (line_logs.T0 + HOUR, "final", "cola")
    assert order.values["oee"] == pytest.approx(sum(one.good for one in order.pieces) * 6 / 3600)
    assert order.pieces[0].product == "cola"
    newest = {record.natural_id: record for record in cells}
    (last,) = (r for r in newest.values() if (r.path, r.window) == (line_logs.OTHER, "order"))
    assert sum(one.good for one in order.pieces) == sum(one.good for one in last.pieces) > 0
    assert {(r.path.count("/"), r.window) for r in run.standing().values()} == {
        (level, window) for level in range(4) for window in ("hour", "day", "product")
    } | {(3, "order")}
