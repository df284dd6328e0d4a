"""Pieces by supplier: production records joined with the lots in use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.analysis.comparison import MORE, compare
from processors.analysis.measure import measure
from processors.analysis.selection import Incomparable
from processors.analysis.supply import NOBODY, by_supplier, refuse_time
from schemas.records import Inputs, Lot, Production
from tests.harness.kpi_windows import LINE, T0
from topology.kpi.definition import definition

CELL = f"{LINE}/filler"
MINUTE = 60_000_000
ISO = definition("iso22400@2")


def made(minute: int, good: int = 10, scrap: int = 0, path: str = CELL) -> Production:
    at = T0 + minute * MINUTE
    return Production(
        id=f"{path}#production@{at}~x@1:0",
        path=path,
        started_at=at,
        ended_at=at + MINUTE,
        definition="x@1",
        status="final",
        revision=0,
        inputs=Inputs("t", 0, 0, 0),
        good=good,
        scrap=scrap,
        resets=0,
        order=None,
        product=None,
    )


def lot(
    name: str, begin: int, end: int | None, supplier: str | None, material: str = "cap", path: str = LINE
) -> tuple[str, Lot]:
    ended = None if end is None else T0 + end * MINUTE
    return path, Lot(id=name, material=material, supplier=supplier, started_at=T0 + begin * MINUTE, ended_at=ended)


def test_a_lot_of_a_line_holds_for_its_machines_until_the_next() -> None:
    told = [lot("a", 0, None, "north"), lot("b", 10, 20, "south"), lot("c", 30, None, None)]
    found = by_supplier([made(minute) for minute in range(40)], told)
    pieces = {
        name: sum(one.good for units in lots.values() for one in units.pieces) for name, lots in found.samples.items()
    }
    assert pieces == {"north": 100, "south": 100, NOBODY: 100}
    assert (found.pieces, found.without_lot, found.at_change) == (400, 100, 0)


def test_what_belongs_to_no_lot_alone_is_left_out_and_counted() -> None:
    half = Lot(id="a", material="cap", supplier="north", started_at=T0 + MINUTE // 2, ended_at=T0 + 5 * MINUTE)
    told = [(LINE, half), lot("b", 3, 5, "south", path=CELL)]
    found = by_supplier([made(minute) for minute in range(7)], told)
    assert (found.without_lot, found.at_change) == (20, 30), "minute 0 is cut, 3 and 4 have two lots"
    assert set(found.samples) == {"north"}


def test_a_lot_told_again_replaces_itself() -> None:
    told = [lot("a", 0, 9, "north"), lot("a", 0, 9, "south")]
    assert set(by_supplier([made(1)], told).samples) == {"south"}


def test_several_materials_need_a_name() -> None:
    told = [lot("a", 0, 9, "north"), lot("p", 0, 9, "east", material="preform")]
    with pytest.raises(Incomparable, match="lots of cap, preform were told there; name one with --material"):
        by_supplier([made(1)], told)
    assert set(by_supplier([made(1)], told, "preform").samples) == {"east"}
    with pytest.raises(Incomparable, match="no lot was told"):
        by_supplier([made(1)], [])


def test_the_lot_is_the_sampling_unit() -> None:
    told = [lot(f"{number}", 10 * number, 10 * number + 10, "north" if number % 2 else "south") for number in range(14)]
    records = [made(minute, 100 - 2 * (minute // 10 % 2), 2 * (minute // 10 % 2) + minute % 3) for minute in range(140)]
    found = compare(by_supplier(records, told).samples, measure(ISO, "scrap_ratio"))
    north, south = found.groups
    assert (north.value.windows, south.value.windows) == (7, 7)
    (pair,) = found.differences
    assert pair.verdict == MORE
    assert pair.effect.value == pytest.approx(-0.02, abs=0.002)


def test_time_by_supplier_is_refused_in_words() -> None:
    for name in ("quality", "scrap_ratio"):
        refuse_time(measure(ISO, name))
    with pytest.raises(Incomparable, match=r"oee by supplier cannot be told: it rests on .*no window is cut"):
        refuse_time(measure(ISO, "oee"))
    with pytest.raises(Incomparable, match="GP, IP"):
        refuse_time(measure(ISO, "first_pass_yield"))


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.none() | st.integers(0, 60), st.sampled_from(["n", "s", None]), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_every_piece_is_counted_once(spans: list[tuple[int, int | None, str | None, bool]]) -> None:
    told = [
        lot(f"{number}", begin, end, supplier, path=CELL if own else LINE)
        for number, (begin, end, supplier, own) in enumerate(spans)
    ]
    found = by_supplier([made(minute, good=minute + 1) for minute in range(60)], told)
    joined = sum(one.good for lots in found.samples.values() for units in lots.values() for one in units.pieces)
    assert joined + found.without_lot + found.at_change == found.pieces == 60 * 61 // 2
