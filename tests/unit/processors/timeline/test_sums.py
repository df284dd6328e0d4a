"""Windows longer than an hour: from kept hours, from what evicted ones left behind, the rest unknown."""

from processors.timeline.sums import DAY, ORDERS, Running
from processors.timeline.totals import Groups
from schemas.records import Order, Shift
from tests.harness.cells import hear, look, make_cell, tell
from tests.harness.line_logs import EXECUTE, HOUR, MINUTE, T0

END = T0 + 3 * HOUR
WINDOW = Running(ORDERS, "o", T0, END)


def good(groups: Groups) -> int:
    return sum(totals.good for totals in groups.values())


def time(groups: Groups) -> int:
    return sum(sum(totals.element_us) for totals in groups.values())


def test_a_window_sums_its_own_groups_over_hours_and_over_those_evicted() -> None:
    cell = make_cell()
    tell(
        cell,
        Order(id="o", product="p", started_at=T0, ended_at=END),
        Shift(id="s", name="s", started_at=T0 + HOUR // 2, ended_at=END),
    )
    hear(cell, T0, State=EXECUTE, Good=0)
    for minute in range(1, 181):
        hear(cell, T0 + minute * MINUTE, Good=minute)
    view = look(cell, END)
    whole = cell.sums.of(cell.schedule, WINDOW, view)
    assert (good(whole), time(whole)) == (180, 3 * HOUR)
    shift = cell.sums.shift(cell.schedule, "s", view)
    assert (good(shift), time(shift)) == (150, 5 * HOUR // 2)
    cell.evict(T0 + HOUR, END, END)
    view.floor = T0 + HOUR
    after = cell.sums.of(cell.schedule, WINDOW, view)
    assert (good(after), time(after)) == (180, 3 * HOUR)
    assert set(cell.sums.carried) == {"order o", "shift s", "day 2026-11-23"}
    assert good(cell.sums.carried["order o"]) == 60
    cell.evict(END, END, END)
    assert set(cell.sums.carried) == {"day 2026-11-23"}


def test_a_part_older_than_anything_kept_is_unknown() -> None:
    cell = make_cell()
    hear(cell, T0, State=EXECUTE)
    view = look(cell, T0 + MINUTE)
    view.floor = T0
    groups = cell.sums.of(cell.schedule, Running(DAY, "2026-11-23", T0 - 6 * HOUR, T0 + 18 * HOUR), view)
    assert time(groups) == 6 * HOUR + MINUTE
    unknown = sum(totals.element_us[cell.elements.not_observed] for totals in groups.values())
    assert unknown == 6 * HOUR


def test_windows_have_labels_of_their_own() -> None:
    labels = [Running(part, "x", 0, 1).label for part in range(3)]
    assert labels == ["order x", "shift x", "day x"]
