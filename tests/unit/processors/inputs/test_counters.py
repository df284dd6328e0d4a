"""Counters → pieces: what counts, what is taken back, what is refused and said."""

import re
from pathlib import Path

import pytest

from processors.inputs.counters import Counter, Verdict, increments, judge, refused
from processors.inputs.glitches import Rate
from processors.inputs.readings import Readings
from processors.inputs.series import Series
from processors.units import HOUR
from topology.model.tags import Falls

S = 1_000_000
SECOND = Rate(lambda _at: S)


PAGE = Path(__file__).parents[4] / "docs" / "counters.md"


def counter(
    values: list[int], step_s: float = 1, falls: Falls | None = None, rate: Rate = SECOND, modulus: int | None = None
) -> Counter:
    series = Readings(rate, falls)
    for n, value in enumerate(values):
        series.add(round(n * step_s * S), value, n)
    series.settle()
    return Counter("GoodParts", series, "good", modulus, rate, falls)


def total(a: Counter) -> int:
    return sum(increment.pieces for increment in increments(a, 0, 100 * HOUR))


@pytest.mark.parametrize(
    ("values", "step_s", "pieces", "not_counted"),
    [
        ([1_000_000, 1_000_100, 1_000_099, 1_000_500], 1200, 500, []),
        ([15_600, 15_599, 15_601], 1, 1, []),
        ([15_600, 0, 0, 0, 15_601], 1, 1, [15_600]),
        ([1_000_000, 0, 1_000_001, 1_000_002], 1, 2, [1_000_000]),
        ([100, 101, 999_999, 102, 103], 1, 3, [999_898]),
        ([100, 101, 999_999, 1_000_000], 1, 2, [999_898]),  # it has been set
        ([5, 7, 0, 1, 2], 1, 4, []),
        ([5_000, 5_001, 0, 0, 3, 4], 1, 5, []),  # began again, for good
        ([1_000, 1_001, 500, 501], 1, 2, [501]),  # from 0 to 500 in a second: nobody can say what it is
        ([120, 110, 111, 112], 10, -8, []),  # an operator takes ten back
        ([0, 50, 100], 48, 100, []),  # by the box
    ],
)
def test_what_is_counted(values: list[int], step_s: float, pieces: int, not_counted: list[int]) -> None:
    a = counter(values, step_s)
    assert total(a) == pieces
    assert [step for _, step, _ in refused(a, 0, 100 * HOUR)] == not_counted


@pytest.mark.parametrize(("falls", "pieces"), [("reset", 15_603), ("correction", 4), ("glitch", 4), (None, 4)], ids=str)
def test_the_plant_may_say_what_falls_are(falls: Falls | None, pieces: int) -> None:
    assert (
        total(counter([15_600, 15_601, 15_599, 15_602, 15_604], 1, falls))
        == {
            "reset": 1 + 15_599 + 5,
            "correction": pieces,
            "glitch": pieces,
            None: pieces,
        }[falls]
    )


def test_the_sum_is_the_same_however_time_is_cut() -> None:
    a = counter([10, 12, 999_999, 14, 0, 1, 3, 40_000, 4, 2, 8], 7)
    whole = total(a)
    for cut in range(0, 80 * S, 3 * S):
        parts = [*increments(a, 0, cut), *increments(a, cut, 100 * HOUR)]
        assert sum(part.pieces for part in parts) == whole


def test_a_clock_set_back_counts_no_piece_twice() -> None:
    rate = Rate(lambda _at: 100_000)
    series = Readings(rate)
    for n in range(601):
        series.add(n * 100_000 - (2_450_000 if n >= 300 else 0), n, n)
    series.settle()
    assert total(Counter("GoodParts", series, "good", None, rate)) == 600


def test_the_sum_is_the_same_however_time_is_cut_while_a_counter_counts_down() -> None:
    a = counter([*range(500, 200, -1), *range(500, 350, -1), *range(350, 360), *range(360, 100, -1)], 3)
    whole, said = total(a), refused(a, 0, HOUR)
    assert said
    for cut in range(0, 2400 * S, 7 * S):
        parts = [*increments(a, 0, cut), *increments(a, cut, 100 * HOUR)]
        assert sum(part.pieces for part in parts) == whole
        assert [*refused(a, 0, cut), *refused(a, cut, HOUR)] == said


@pytest.mark.parametrize(("values", "step_s", "pieces"), [(range(5_000, 0, -1), 1, -60), (range(300, 0, -1), 100, -3)])
def test_what_counts_down_is_no_correction_for_long(values: range, step_s: int, pieces: int) -> None:
    """A target counter taken for a total: [own] before, it took back thousands of pieces, and nothing was said."""
    rate = Rate(lambda _at: step_s * S)
    a = counter([*values], step_s, rate=rate)
    assert total(a) == pieces
    assert sum(step for _, step, _ in refused(a, 0, 100 * HOUR)) == len(values) - 1 + pieces


def test_pieces_taken_back_one_by_one_are_corrections() -> None:
    assert total(counter([*range(100), 98, 97, 96, 95, 94, 95, 96])) == 99 - 5 + 2


def test_a_machine_thrice_as_fast_as_its_ideal_cycle_rolls_over_and_is_reset() -> None:
    """[own] Before, each roll-over was a dip, as the counter came back in a step that is not likely."""
    assert total(counter([3 * n % 100 for n in range(2_000)], modulus=100)) == 3 * 1_999
    assert total(counter([*range(0, 48, 3), 0, *range(3, 60, 3)])) == 45 + 57


def test_a_spike_of_a_meter_of_unknown_rate() -> None:
    meter = Rate(None)
    a = counter([1_000, 1_500, 10**12, 2_000, 2_500], 60, rate=meter)
    assert total(a) == 1_500
    assert [step for _, step, _ in refused(a, 0, HOUR)] == [10**12 - 1_500]
    assert total(counter([0, 1, 5, 40, 700, 5_000], 60, rate=meter)) == 5_000


def test_two_counters_in_one_tag_do_not_add_up() -> None:
    values = [value for n in range(300) for value in (1_000 + n, 500_000 + n)]
    assert 250 <= total(counter(values, 1)) <= 300


def test_a_meter_of_stated_rate() -> None:
    rate = Rate(None, 60_000)  # 60 units an hour, in thousandths
    assert total(counter([1_000, 2_000, 0, 3_000], 60, rate=rate)) == 2_000
    assert total(counter([1_000, 500_000, 501_000], 60, rate=rate)) == 1_000


def test_a_roll_over_counts() -> None:
    assert judge(counter([], modulus=1_000), 998, 3, 10 * S, 0) == Verdict(5)
    assert total(counter([990, 995, 2, 7], 10, modulus=1_000)) == 17


def test_increments_are_taken_as_they_are() -> None:
    series = Series()
    for n, value in enumerate([5, 0, 7]):
        series.add(n * S, value, n)
    a = Counter("GoodParts", series, "good", None, SECOND)
    assert total(a) == 12
    assert refused(a, 0, HOUR) == []


def test_the_rows_of_the_page_are_true() -> None:
    """A reading a second, of a machine that makes a piece a second."""
    rows = re.findall(
        r"^\| ([\d, ]+?)(?: with `modulus: (\d+)`)? \| .* \| ([^|]*\d) \|$", PAGE.read_text("utf-8"), re.M
    )
    assert len(rows) == 9
    for readings, modulus, counts in rows:
        values = [int(text) for text in readings.split(", ")]
        expected = sum(int(text.replace("−", "-")) for text in re.findall(r"−?\d+", counts))
        assert total(counter(values, modulus=int(modulus) if modulus else None)) == expected, readings
