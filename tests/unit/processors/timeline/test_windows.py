"""Sums by hour: exact, kept up to the watermark, dropped where something late touches them, saved by name."""

import msgspec

from processors.cell.cell import Cell
from processors.timeline.totals import ENERGY_MAX, Group, SavedTotals, Totals, merge
from schemas.records import Order
from tests.harness.cells import hear, make_cell, tell
from tests.harness.line_logs import EXECUTE, HELD, HOUR, MINUTE, T0

NUMBER = T0 // HOUR


def told() -> Cell:
    cell = make_cell()
    tell(cell, Order(id="o", product="p", started_at=T0, ended_at=T0 + HOUR // 2))
    hear(cell, T0, 1, State=EXECUTE, Good=0)
    for minute in range(1, 61):
        hear(cell, T0 + minute * MINUTE, minute, State=HELD if 10 <= minute < 20 else EXECUTE, Good=minute)
    return cell


def elements(cell: Cell, totals: Totals) -> dict[str, int]:
    return {name: us for name, us in zip(cell.elements.names, totals.element_us, strict=True) if us}


def test_an_hour_is_cut_by_order_and_sums_to_its_length() -> None:
    cell = told()
    groups = cell.windows.hour(cell.schedule, NUMBER, T0 + HOUR, T0 + HOUR)
    of_order, rest = (groups[Group(order, None, "2026-11-23")] for order in ("o", None))
    assert len(groups) == 2
    assert (of_order.good, rest.good) == (30, 30)
    assert (sum(of_order.element_us), sum(rest.element_us)) == (HOUR // 2, HOUR // 2)
    assert elements(cell, of_order)["APT"] == 20 * MINUTE
    assert (rest.first_offset, rest.last_offset) == (30, 60)


def test_sums_are_kept_and_computed_again_where_something_late_touches_them() -> None:
    cell = told()
    group = Group("o", None, "2026-11-23")

    def good() -> int:
        return cell.windows.hour(cell.schedule, NUMBER, T0 + HOUR, T0 + HOUR)[group].good

    assert good() == 30
    hear(cell, T0 + 29 * MINUTE + MINUTE // 2, 99, Good=31)  # what follows is a small step back, passed again
    cell.listen(T0 + HOUR)
    assert good() == 30
    cell.windows.invalidate(T0 + HOUR + 1, T0 + 2 * HOUR)
    assert good() == 30
    cell.windows.invalidate(T0 + 29 * MINUTE, T0 + 31 * MINUTE)
    assert good() == 31


def test_sums_are_the_same_in_one_step_or_many() -> None:
    cell, stepped = told(), told()
    for minute in range(1, 60):
        now = T0 + minute * MINUTE
        stepped.windows.hour(stepped.schedule, NUMBER, now, now - 10_000_000)
    once = cell.windows.dump(cell.windows.hour(cell.schedule, NUMBER, T0 + HOUR, T0 + HOUR))
    assert stepped.windows.dump(stepped.windows.hour(stepped.schedule, NUMBER, T0 + HOUR, T0 + HOUR)) == once


def test_what_is_saved_is_by_name_and_an_element_that_is_new_has_no_time() -> None:
    cell = told()
    groups = cell.windows.hour(cell.schedule, NUMBER, T0 + HOUR, T0 + HOUR)
    groups[Group("o", None, "2026-11-23")].stops = {(201, "drive fault", "breakdown"): [1, 5, 1]}
    saved = msgspec.msgpack.encode(cell.windows.dump(groups))
    rows = msgspec.msgpack.decode(saved)
    assert rows[0]["order"] == "o"
    assert rows[0]["us"]["APT"] == 20 * MINUTE
    (stop,) = rows[0]["stops"]
    assert stop == {
        "code": 201,
        "reason": "drive fault",
        "category": "breakdown",
        "n": 1,
        "us": 5,
        "of_category": 1,
    }
    assert "scrap" not in rows[0]
    for row in rows:
        row["of a later release"] = 1
        del row["us"]["APT"]
    loaded = cell.windows.load(msgspec.convert(rows, list[SavedTotals]))
    again = loaded[Group("o", None, "2026-11-23")]
    assert (again.good, again.stops) == (30, {(201, "drive fault", "breakdown"): [1, 5, 1]})
    assert "APT" not in elements(cell, again)
    assert cell.windows.load(cell.windows.dump(groups)).keys() == groups.keys()


def test_totals_add_up_and_energy_stops_at_what_can_be_saved() -> None:
    into = {Group(None, None, "d"): Totals([1, 2], 1, energy=ENERGY_MAX)}
    other = {Group(None, None, "d"): Totals([3, 4], 2, 5, 7, 1, stopped={(None, None, None): [1, 9, 0]})}
    merge(into, other)
    merge(into, other)
    (total,) = into.values()
    assert (total.element_us, total.good, total.scrap, total.rework, total.made) == ([7, 10], 5, 10, 14, 29)
    assert (total.energy, total.stops) == (ENERGY_MAX, {(None, None, None): [2, 18, 0]})
    assert next(iter(other.values())).good == 2
