"""Groups compared: Σ/Σ of the newest closed revisions, the same for any order, and no false alarms beyond the stated rate."""

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.analysis.comparison import FEW, MORE, NOISE, UNKNOWN, Comparison, Difference, compare
from processors.analysis.measure import Measure, Places, measure
from processors.analysis.selection import (
    By,
    Incomparable,
    at_level,
    closed,
    fitting,
    grouped,
    of_definition,
    of_window,
    shift_name,
)
from processors.output.identity import revised
from schemas.records import Kpi
from tests.harness.kpi_windows import DAY, HOUR, LINE, T0, kpi, shifts
from tests.harness.line_logs import T0 as T_LOG
from tests.harness.line_logs import Run, plant, ticks
from tests.harness.line_scenarios import scenario
from topology.kpi.definition import definition
from topology.kpi.values import Facts, Pieces, total
from topology.model.kpis import selected
from topology.namespace.path import Level

ISO = definition("iso22400@2")
QUALITY = measure(ISO, "quality")
END = T0 + 400 * DAY


def by_shift(records: list[Kpi], one: Measure = QUALITY) -> Comparison:
    return compare(grouped(closed(records, T0, END), By.SHIFT), one)


def only(found: Comparison) -> Difference:
    (pair,) = found.differences
    return pair


def test_values_are_sums_over_sums_with_counts_and_intervals() -> None:
    records = [
        kpi(T0, name="2026-10-29-early", good=90, scrap=10),
        kpi(T0 + DAY, name="2026-10-30-early", good=1000, scrap=0),
        kpi(T0 + 8 * HOUR, name="2026-10-29-late", good=50, scrap=50),
    ]
    found = by_shift(records)
    early, late = found.groups
    assert (early.name, early.value.windows, early.pieces, early.planned_h) == ("early", 2, 1100, 16.0)
    assert early.value.value == pytest.approx(1090 / 1100), "not the mean of 0.9 and 1"
    assert early.proportion == (1090, 1100)
    assert early.pieces_interval is not None
    assert late.value.low is None, "one window has no spread"
    pair = only(found)
    assert pair.verdict == FEW
    assert pair.effect.value == pytest.approx(0.5 - 1090 / 1100)
    assert pair.p is None


def test_a_time_kpi_weighs_by_its_denominator() -> None:
    records = [
        kpi(T0, name="early", apt_h=8, adet_h=0, good=4800, scrap=0),
        kpi(T0 + DAY, 4 * HOUR, name="early", apt_h=1, adet_h=3, good=600, scrap=0),
    ]
    (group,) = by_shift(records, measure(ISO, "availability")).groups
    assert group.value.value == pytest.approx(9 / 12)
    assert group.proportion is None
    (oee,) = by_shift(records, measure(ISO, "oee")).groups
    assert oee.value.value == pytest.approx(5400 * 6 / 3600 / 12)


def test_a_planted_difference_of_ten_points_is_found() -> None:
    records = [*shifts("early", 7, 0.95, 1), *shifts("late", 7, 0.85, 2)]
    pair = only(by_shift(records))
    assert (pair.first, pair.second, pair.test, pair.verdict) == ("early", "late", "permutation", MORE)
    assert pair.effect.low is not None
    assert pair.effect.high is not None
    assert pair.effect.low < -0.10 < pair.effect.high < 0
    many = only(by_shift([*shifts("early", 40, 0.95, 1), *shifts("late", 40, 0.85, 2)]))
    assert (many.test, many.verdict) == ("t", MORE)


def test_equal_shifts_differ_no_more_often_than_stated() -> None:
    """Three equal shifts, three pairs: some pair is called different in at most 5 % of histories (and 3.5 standard errors)."""
    alarms, rounds = 0, 150
    for seed in range(rounds):
        records = [one for name in ("early", "late", "night") for one in shifts(name, 12, 0.95, seed)]
        found = by_shift(records).differences
        assert [pair.test for pair in found] == ["t"] * 3
        alarms += any(pair.verdict == MORE for pair in found)
    assert alarms / rounds <= 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / rounds)


def test_pieces_alone_would_cry_wolf() -> None:
    """Why the window is the unit: with day-to-day spread the pieces' intervals exclude each other, the windows' do not."""
    one, other = shifts("early", 6, 0.95, 4, spread=0.02), shifts("late", 6, 0.95, 8, spread=0.02)
    found = by_shift([*one, *other])
    early, late = found.groups
    assert early.pieces_interval is not None
    assert late.pieces_interval is not None
    assert early.pieces_interval[1] < late.pieces_interval[0] or late.pieces_interval[1] < early.pieces_interval[0]
    assert only(found).verdict == NOISE


def test_groups_in_the_same_windows_are_compared_within_them() -> None:
    """Bad days hit both lines alike: in pairs a small steady difference shows."""
    chance = random.Random(5)
    records = []
    for day in range(8):
        base = chance.gauss(0.9, 0.05)
        for line, shift in (("line-1", 0.0), ("line-2", -0.01)):
            good = round(10_000 * (base + shift + chance.gauss(0, 0.002)))
            path = f"acme/dallas/packaging/{line}"
            records.append(kpi(T0 + day * DAY, path=path, name=f"{day}", good=good, scrap=10_000 - good))
    pair = only(compare(grouped(records, By.LINE), QUALITY))
    assert (pair.test, pair.verdict) == ("paired permutation", MORE)
    assert pair.effect.value == pytest.approx(-0.01, abs=0.003)
    records.append(kpi(T0 + 9 * DAY, name="9", good=9000, scrap=1000))
    assert only(compare(grouped(records, By.LINE), QUALITY)).verdict == NOISE, "no pairs any more"


def test_machines_of_a_group_in_one_window_are_one_unit() -> None:
    records = [
        kpi(T0 + day * DAY, path=f"{LINE}/{cell}", name="early") for day in range(6) for cell in ("filler", "capper")
    ]
    (group,) = by_shift(records).groups
    assert (group.value.windows, group.pieces) == (6, 2 * 6 * 3100)


def test_windows_of_nothing_do_not_count() -> None:
    idle = kpi(T0 + DAY, name="early", element_us={"unplanned": 8 * HOUR}, pieces=())
    (group,) = by_shift([kpi(T0, name="early"), idle]).groups
    assert group.value.windows == 1


def test_an_unknown_quantity_makes_no_value_and_says_which() -> None:
    records = [kpi(T0 + day * DAY, name="early", quantities={"FE": 1.0, "TTR": 6e7} if day else {}) for day in range(7)]
    found = by_shift([*records, kpi(T0, name="late", quantities={"FE": 1.0, "TTR": 6e7})], measure(ISO, "mttr"))
    early, late = found.groups
    assert early.value.value is None
    assert early.missing == ("FE", "TTR")
    assert late.value.value == pytest.approx(1.0)
    assert only(found).verdict == UNKNOWN


def test_only_the_newest_closed_revision_counts() -> None:
    first = kpi(T0, name="early", good=1, scrap=1)
    second = kpi(T0, name="early", good=90, scrap=10, revision=2, status="corrected")
    open_ = kpi(T0 + DAY, name="early", status="provisional")
    gone = [kpi(T0 + 2 * DAY, name="early"), kpi(T0 + 2 * DAY, 0, name="early", revision=1, apt_h=0, adet_h=0)]
    outside = kpi(T0 - HOUR, name="early")
    (group,) = by_shift([second, first, open_, *gone, outside]).groups
    assert (group.value.windows, group.value.value) == (1, 0.9)


records_of_any_plant = st.lists(
    st.builds(
        kpi,
        st.integers(0, 20).map(lambda n: T0 + n * 8 * HOUR),
        name=st.sampled_from(["early", "late", "night"]),
        path=st.sampled_from([LINE, LINE[:-1] + "2"]),
        apt_h=st.sampled_from([0.0, 1.5, 6.0]),
        good=st.integers(0, 500),
        scrap=st.integers(0, 50),
        revision=st.integers(0, 3),
        quantities=st.sampled_from([{}, {"FE": 1.0, "TTR": 0.1}, {"FE": 2.0, "TTR": 1e15 / 3}]),
    ),
    max_size=24,
    unique_by=lambda record: record.id,
)


@given(records_of_any_plant, st.randoms(use_true_random=False), st.sampled_from(["quality", "oee", "mttr"]))
@settings(max_examples=40, deadline=None)
def test_order_duplicates_and_older_revisions_do_not_matter(
    records: list[Kpi], chance: random.Random, name: str
) -> None:
    one = measure(ISO, name)
    expected = by_shift(records, one)
    newest: dict[str, Kpi] = {}
    for record in records:
        if record.natural_id not in newest or newest[record.natural_id].revision < record.revision:
            newest[record.natural_id] = record
    older = [
        msgspec.structs.replace(record, id=revised(record.natural_id, -1), revision=-1, pieces=())
        for record in newest.values()
    ]
    told = [*records, *chance.choices(records, k=5), *older] if records else []
    chance.shuffle(told)
    assert by_shift(told, one) == expected
    assert by_shift(list(newest.values()), one) == expected


facts = st.builds(
    Facts,
    st.dictionaries(st.sampled_from(["APT", "ADET", "PDOT"]), st.integers(0, 10**12)),
    st.lists(
        st.builds(
            Pieces,
            st.integers(1, 10**7),
            st.integers(0, 9),
            st.integers(0, 9),
            st.integers(0, 9),
            st.sampled_from(["cola", None]),
        ),
        max_size=3,
    ).map(tuple),
    st.dictionaries(st.sampled_from(["FE", "TTR"]), st.floats(0, 1e15)),
)


@given(st.lists(facts, min_size=1, max_size=5))
def test_vectors_sum_as_facts_do(parts: list[Facts]) -> None:
    places = Places(parts)
    whole = places.facts(tuple(map(sum, zip(*map(places.vector, parts), strict=True))))
    for name in ("oee", "quality", "mttr", "rework_ratio"):
        one = measure(ISO, name)
        assert one.value(whole) == one.value(total(parts))


def test_a_kpi_that_rests_on_others_and_on_totals_keeps_what_it_needs() -> None:
    nakajima = definition("nakajima@1")
    one = measure(nakajima, "oee")
    assert set(one.definition.kpis) == {"availability", "performance", "quality"}
    assert one.names == {"operating", "base", "PRI", "PQ", "GQ"}
    assert one.share is None
    assert measure(ISO, "scrap_ratio").share == ("SQ", "PQ")
    with pytest.raises(LookupError, match="has no KPI 'ooe2'"):
        measure(ISO, "ooe2")


def test_definitions_are_never_mixed() -> None:
    old = [kpi(T0 + day * DAY, name="early", definition="iso22400@1") for day in range(3)]
    new = [kpi(T0 + day * DAY, name="early") for day in range(2, 5)]
    with pytest.raises(Incomparable, match=r"3 windows by iso22400@1, 3 windows by iso22400@2 of 5.*uns replay"):
        of_definition([*old, *new], "iso22400@2", None, LINE)
    both = [*old, *(kpi(T0 + day * DAY, name="early") for day in range(3))]
    assert of_definition(both, "iso22400@2", None, LINE)[0] == "iso22400@2"
    assert of_definition(both, "iso22400@2", "iso22400@1", LINE)[1] == old
    with pytest.raises(Incomparable, match="--definition"):
        of_definition(both, None, None, LINE)
    assert of_definition(old, "iso22400@2", None, LINE)[0] == "iso22400@1", "all by one other: it is said which"
    with pytest.raises(Incomparable):
        of_definition(old, None, "iso22400@2", LINE)


def test_a_definition_that_was_edited_in_place_is_refused() -> None:
    fitting([kpi(T0)], ISO)
    with pytest.raises(Incomparable, match="iso22400@2 has no REST, which its records have: it was edited in place"):
        fitting([kpi(T0), kpi(T0 + DAY, element_us={"REST": 1})], ISO)


def test_one_level_and_one_kind_of_window() -> None:
    line, cell = kpi(T0), kpi(T0, path=f"{LINE}/filler")
    site = kpi(T0, path="acme/dallas", window="day")
    assert at_level([cell, line, site]) == [line]
    assert at_level([cell, site]) == [cell]
    assert at_level([cell, line, site], Level.SITE) == [site]
    with pytest.raises(Incomparable, match="no closed kpi windows of area match; those that match are of: cell, line"):
        at_level([cell, line], Level.AREA)
    with pytest.raises(Incomparable, match="line or cell or area or site match; those that match are of: enterprise"):
        at_level([kpi(T0, path="acme")], within=Level.SITE)
    assert of_window([line, site], ["shift", "day"]) == ("shift", [line])
    assert of_window([site], ["shift", "day"]) == ("day", [site])
    with pytest.raises(Incomparable, match="no closed hour windows lie in that time"):
        of_window([line, site], ["hour"])


@pytest.mark.parametrize(
    ("shift", "name"),
    [
        ("2026-11-23-early", "early"),
        ("2026-11-18/early", "early"),
        ("20261123 night", "night"),
        ("A_2026-11-23", "A"),
        ("early", "early"),
        ("2026-11-23", "2026-11-23"),
    ],
)
def test_a_shift_is_named_without_its_date(shift: str, name: str) -> None:
    assert shift_name(shift) == name


def test_products_by_day() -> None:
    records = [
        kpi(T0 + day * DAY + hour * HOUR, HOUR, window="product", name=product, product=product, apt_h=0.5, adet_h=0.1)
        for day in range(6)
        for hour, product in ((7, "cola"), (9, "lemon"))
    ]
    found = compare(grouped(records, By.PRODUCT), QUALITY)
    assert [(group.name, group.value.windows) for group in found.groups] == [("cola", 6), ("lemon", 6)]
    assert only(found).verdict == NOISE


@pytest.mark.parametrize("label", ["iso22400@2", "nakajima@1"])
def test_a_group_of_one_window_has_the_value_that_the_fold_published(label: str) -> None:
    """Whatever a real fold says of a window is what a comparison reads out of it, for every KPI."""
    model = plant(label)
    found = Run(model).feed([*scenario(random.Random(7)).punctual(), *ticks(T_LOG + 4 * HOUR, T_LOG + 20 * HOUR, HOUR)])
    records = closed([one for one in found.records if isinstance(one, Kpi)], 0, T_LOG * 2)
    windows, checked = {one.window for one in records}, 0
    assert windows >= {"hour", "shift"}
    for record in records:
        for name, value in record.values.items():
            one = measure(selected(model), name)
            samples = grouped([record], By.CELL)
            if any(facts.pieces or one.planned(facts) for facts in samples[record.path].values()):
                groups = compare(samples, one).groups
                assert not groups or groups[0].value.value == value
                checked += bool(groups) and value is not None
    assert checked > 50
