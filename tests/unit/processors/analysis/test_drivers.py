"""Drivers: planted ones are found and ranked first, chance is not taken for one, and what cannot be told is said."""

import math
import random

import pytest

from processors.analysis.drivers import drivers
from processors.analysis.factors import LEVELS_MAX, factors
from processors.analysis.observations import Observation
from tests.unit.processors.analysis.published import BERKELEY, SHIFTS

Rows = list[Observation]
SHARES = {"a": 0.02, "b": 0.05, "c": 0.03}
PLANTED = ("supplier", "tool", "team", "temperature", "product", None)


def simulated(seed: int, planted: str | None, days: int = 12, lots_differ: bool = True) -> Rows:
    """A line for some days: shifts, lots and products differ by chance, and one factor in fact."""
    draw, rows, lot = random.Random(seed), [], 0
    supplier, of_lot, tool, product = "X", 0.0, "t1", "a"
    sizes = (0.15, 0.2) if lots_differ else (0.0, 0.0)
    for day in range(days):
        for name in ("early", "late", "night"):
            of_shift, team = draw.gauss(0, sizes[0]), draw.choice("ABCD")
            for hour in range(8):
                if hour % 4 == 0:
                    lot, supplier, of_lot = lot + 1, draw.choice("XYZ"), draw.gauss(0, sizes[1])
                    product = draw.choice("abc")
                if hour % 2 == 0:
                    tool = draw.choice(["t1", "t2", "t3"])
                values = {"temperature": draw.gauss(50, 5), "vibration": draw.gauss(0, 1)}
                odds = SHARES[product] if planted == "product" else 0.03
                rise = of_shift + of_lot
                rise += 0.7 * (planted == "supplier" and supplier == "Y")
                rise += 0.6 * (planted == "tool" and tool == "t2") + 0.7 * (planted == "team" and team == "C")
                rise += 0.1 * (values["temperature"] - 50) * (planted == "temperature")
                share = min(0.9, odds * math.exp(rise))
                lost = sum(draw.random() < share for _ in range(150))
                levels = {
                    "product": product,
                    "supplier": supplier,
                    "lot": f"L{lot}",
                    "shift": name,
                    "team": team,
                    "tool": tool,
                }
                levels |= {"hour": f"{hour}{name}", "line": "line-1", "machine": "m"}
                carriers = {"supplier": f"L{lot}", "shift": f"{day}{name}", "team": f"{day}{name}"}
                rows.append(Observation(150, lost, levels, f"{day}{name}", f"{day}{name}{hour}", values, carriers))
    return rows


def first_and_found(seeds: range, planted: str | None) -> tuple[int, int]:
    """In how many runs the planted factor is first, and in how many anything is a driver."""
    first = found = 0
    for seed in seeds:
        result = drivers(simulated(seed, planted), "share")
        first += result.findings[0].factor == planted
        found += any(one.driver for one in result.findings)
    return first, found


@pytest.mark.parametrize("planted", PLANTED[:4])
def test_a_planted_driver_is_ranked_first(planted: str) -> None:
    assert first_and_found(range(2), planted) == (2, 2)


def test_chance_is_no_driver() -> None:
    assert first_and_found(range(100, 104), None)[1] == 0


@pytest.mark.long
@pytest.mark.parametrize("planted", PLANTED[:5])
@pytest.mark.timeout(3600)
def test_a_planted_driver_is_ranked_first_in_95_of_100(planted: str) -> None:
    first, _ = first_and_found(range(1000, 1200), planted)
    assert first >= 190


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_at_most_5_of_100_histories_of_chance_have_a_driver() -> None:
    """200 plants in which lots and shifts differ as they do, and nothing else."""
    assert first_and_found(range(2000, 2200), None)[1] <= 10


def of_tables(tables: dict[str, tuple[tuple[int, int], tuple[int, int]]], outer: str, inner: str) -> Rows:
    return [
        Observation(n, lost, {outer: name, inner: group}, f"{name}{group}")
        for name, pair in tables.items()
        for group, (lost, n) in zip(("first", "second"), pair, strict=True)
    ]


@pytest.mark.parametrize(
    ("tables", "crude", "adjusted"),
    [(BERKELEY, 1.8411, 0.9047), (SHIFTS, 2.936159, 0.639279)],
    ids=["berkeley", "shifts"],
)
def test_a_sign_that_turns_within_strata_is_said(
    tables: dict[str, tuple[tuple[int, int], tuple[int, int]]], crude: float, adjusted: float
) -> None:
    rows = of_tables(tables, "product", "group")
    result = drivers(rows, "share", ("product",))
    group = next(one for one in result.findings if one.factor == "group")
    first = next(level for level in group.levels if level.name == "first")
    assert first.crude.odds_ratio.value == pytest.approx(crude, abs=1e-4)
    assert first.adjusted.odds_ratio.value == pytest.approx(adjusted, abs=1e-4)
    assert any("the sign turns: group first" in words for words in group.warnings)
    assert not group.driver


def test_a_sign_that_turns_within_a_factor_that_nobody_named_is_said() -> None:
    result = drivers(of_tables(SHIFTS, "product", "group"), "share", ())
    group = next(one for one in result.findings if one.factor == "group")
    assert any("within product" in words for words in group.warnings)


def test_the_order_of_rows_changes_nothing() -> None:
    rows = simulated(1, "supplier", 4)
    turned = rows[::-1]
    assert drivers(rows, "share") == drivers(turned, "share")


def test_two_names_of_one_thing_are_said_to_be_one() -> None:
    rows = [
        Observation(100, 9 if day % 2 else 3, {"supplier": "XY"[day % 2], "team": "AB"[day % 2]}, str(day))
        for day in range(20)
    ]
    result = drivers(rows, "share")
    assert {one.aliases for one in result.findings} == {("supplier",), ("team",)}
    assert all("cannot be told" in one.warnings[0] for one in result.findings)


def test_a_lot_is_looked_at_within_its_supplier_and_one_bad_lot_stands_out() -> None:
    draw, rows = random.Random(3), []
    for lot in range(24):
        share = 0.2 if lot == 5 else 0.03
        for hour in range(8):
            lost = sum(draw.random() < share for _ in range(100))
            levels = {"lot": f"L{lot}", "supplier": "XYZ"[lot % 3]}
            rows.append(Observation(100, lost, levels, f"d{lot}", f"{lot}.{hour}", clusters={"supplier": f"L{lot}"}))
    result = drivers(rows, "share")
    assert result.findings[0].factor == "lot"
    assert result.findings[0].strata == ("supplier",)
    assert [one.driver for one in result.findings] == [True, False]
    assert max(result.findings[0].levels, key=lambda level: level.avoidable.value or 0).name == "L5"


def test_a_few_lots_are_no_proof_against_a_supplier() -> None:
    rows = []
    for lot, (supplier, lost) in enumerate([("X", 2), ("Y", 9)]):
        rows += [
            Observation(
                100, lost, {"supplier": supplier}, f"{lot}.{day}", f"{lot}.{day}", clusters={"supplier": f"L{lot}"}
            )
            for day in range(10)
        ]
    (supplier_,) = drivers(rows, "share").findings
    assert any("too few lots" in words for words in supplier_.warnings)


def test_avoidable_is_what_the_best_level_would_have_spared() -> None:
    rows = [
        Observation(1000, lost, {"tool": tool}, f"{tool}{n}")
        for n in range(12)
        for tool, lost in (("old", 60), ("new", 20))
    ]
    (tool,) = drivers(rows, "share").findings
    assert tool.best == "new"
    assert tool.avoidable.value == pytest.approx(480)
    assert tool.avoidable.low is not None
    assert tool.avoidable.high is not None
    assert tool.avoidable.low < 480 < tool.avoidable.high
    old = next(level for level in tool.levels if level.name == "old")
    assert old.adjusted.ratio.value == pytest.approx(3.0)
    assert old.adjusted.difference.value == pytest.approx(0.04)


@pytest.mark.parametrize("kind", ["rate", "mean"])
def test_rates_and_means_find_theirs(kind: str) -> None:
    draw = random.Random(4)
    rows = []
    for day in range(30):
        for shift in ("early", "late"):
            loss = max(0.0, draw.gauss(12 if shift == "late" else 8, 2))
            rows.append(
                Observation(1.0, loss, {"shift": shift, "machine": "m", "other": draw.choice("xy")}, f"{day}{shift}")
            )
    result = drivers(rows, kind)  # type: ignore[arg-type]
    assert [one.factor for one in result.findings if one.driver] == ["shift"]
    late = result.findings[0].levels[0]
    assert late.adjusted.difference.value == pytest.approx(4, abs=1)
    assert result.findings[0].avoidable.value == pytest.approx(30 * 4, rel=0.3)


def test_nothing_one_category_zero_pieces_and_nothing_lost() -> None:
    assert drivers([], "share").findings == ()
    assert drivers([Observation(10, 1, {"tool": "a"}, "1")], "share").findings == ()
    assert (
        drivers([Observation(0, 0, {"tool": "a"}, "1"), Observation(0, 0, {"tool": "b"}, "2")], "share").findings == ()
    )
    none = [Observation(100, 0, {"tool": tool}, f"{n}{tool}") for n in range(9) for tool in "ab"]
    all_ = [Observation(100, 100, {"tool": tool}, f"{n}{tool}") for n in range(9) for tool in "ab"]
    for rows in (none, all_):
        assert drivers(rows, "share").findings == ()
    for kind in ("rate", "mean"):
        assert not any(one.driver for one in drivers(none, kind).findings)


def test_missing_and_broken_values_are_left_out_and_counted() -> None:
    rows = [Observation(100, 5 + n % 3, {"tool": "ab"[n % 2]} if n % 4 else {}, str(n)) for n in range(40)]
    rows += [
        Observation(100, float("nan"), {"tool": "a"}, "x"),
        Observation(100, 5, {}, "y", values={"t": float("inf")}),
    ]
    (tool,) = drivers(rows, "share").findings
    assert tool.unknown == 1100
    assert sum(level.exposure for level in tool.levels) == 3000


def test_ten_thousand_levels_and_strange_names_are_bounded() -> None:
    rows = [Observation(50, n % 4, {"serial": f"S{n}\x1b[31m\n", "tool": "ab"[n % 2]}, str(n)) for n in range(10_000)]
    found = {one.name: one for one in factors(rows, "rate")}
    assert len(found["serial"].exposures) <= LEVELS_MAX + 1
    assert found["serial"].pooled >= 10_000 - LEVELS_MAX
    assert "serial" not in {one.name for one in factors(rows, "share")}
