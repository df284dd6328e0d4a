"""What the screens of a plant say, read from their pure views."""

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import CurrentTag
from tests.harness.plant_records import FILLER, HOUR, LINE, MINUTE, PACKER, T0, kpi, records, snapshot
from topology.kpi.definition import definition
from uns.web import andon, losses, machine, overview
from uns.web.board import PLACES_MAX, Board, CellBoard
from uns.web.line import production
from uns.web.line.view import view as line_view
from uns.web.losses.view import waterfall
from uns.web.measures import expected
from uns.web.screen import UnknownPlace, Visit
from uns.web.traces import POINTS_MAX, TAGS_MAX, Traces, thinned

ISO = definition("iso22400@1")
VIEWS = {"overview": overview.spec, "andon": andon.spec, "machine": machine.spec, "losses": losses.spec}


@pytest.fixture(scope="module")
def board() -> Board:
    shown = Board(oee_target=0.75)
    for record in records():
        shown.apply(record)
    return shown


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_json_also_of_nothing_and_knows_what_it_does_not_know(name: str, board: Board) -> None:
    view = VIEWS[name].view
    assert set(view(Board(), Visit()).values()) == {None}
    whole = view(board, Visit(now=T0))
    assert msgspec.json.decode(msgspec.json.encode(whole))
    assert all(isinstance(part, str) for part in whole)
    with pytest.raises(UnknownPlace) as told:
        view(board, Visit("acme/dalas"))
    assert told.value.known


@given(st.dictionaries(st.sampled_from(["window", "period", "chart", "trend", "span", "at"]), st.text(max_size=20)))
def test_whatever_stands_in_an_address_a_view_is_made(options: dict[str, str]) -> None:
    shown = Board()
    for record in (snapshot(FILLER, T0, "execute", T0), kpi(FILLER, "shift", T0 - HOUR, None)):
        shown.apply(record)
    assert line_view(shown, Visit(LINE, options, T0))["machines"]
    for spec in VIEWS.values():
        assert spec.view(shown, Visit(LINE, options, T0))


def test_an_overview_has_a_tile_for_each_place_in_a_place(board: Board) -> None:
    top = overview.spec.view(board, Visit("acme"))
    assert [tile["path"] for tile in top["tiles"]] == ["acme/dallas"]
    line = overview.spec.view(board, Visit(FILLER))["self"]
    assert (line["path"], line["line"], line["looks"]) == (LINE, True, {"running": 1, "held": 1})
    assert (line["alerts"], line["worst"], line["at"]) == (1, "high", T0)
    assert line["top"] == {"kind": "stop", "name": "gripper fault", "category": "breakdown", "minutes": 40.0}
    assert line["kpi"]["values"]["oee"] == 0.636


def test_the_wall_names_the_machine_that_is_why(board: Board) -> None:
    shown = andon.spec.view(board, Visit(LINE))
    assert (shown["state"]["machine"], shown["state"]["look"], shown["state"]["since"]) == (
        "packer",
        "held",
        T0 - 4 * MINUTE,
    )
    assert shown["takt"] == {"s": 6.2, "ideal_s": 6.0, "hour": T0 - HOUR}
    assert shown["at"] == T0, "the oldest of what is shown"
    other = Board()
    other.apply(snapshot(FILLER, T0, "aborted", T0 - MINUTE))
    other.apply(snapshot(PACKER, T0, "suspended", T0 - MINUTE))
    assert andon.spec.view(other, Visit(LINE))["state"]["machine"] == "filler", "who waits is not why"


def test_a_target_of_pieces_is_what_the_planned_time_makes() -> None:
    hour = kpi(LINE, "hour", T0 - HOUR, T0, element_us={"APT": HOUR // 2, "ADET": HOUR // 4, "PDOT": HOUR // 4})
    assert expected(hour, ISO, 0.5) == 0.75 * 3600 / 6 * 0.5
    assert expected(hour, ISO, None) is None
    assert expected(msgspec.structs.replace(hour, pieces=()), ISO, 0.5) is None


def test_a_line_says_what_it_makes(board: Board) -> None:
    hours = production.hours(board, LINE)
    assert len(hours) == 4
    assert [hour["begin"] for hour in hours] == sorted(hour["begin"] for hour in hours)
    assert [(order["order"], order["open"]) for order in production.orders(board, LINE)] == [("4711", True)]
    told = production.bottleneck(board, LINE)
    assert told is not None
    assert (told["name"], round(told["cells"][0]["sole"], 3)) == (FILLER, round(1 / 6, 3))
    assert [(one["minutes"], one["target"]) for one in production.changeovers(list(board.cells.values()))] == [
        (5.0, 4.0)
    ]
    assert [one["s"][2] for one in production.cycles(board.cells_of(LINE))] == [6.2, 6.2]


def test_the_waterfall_explains_every_minute(board: Board) -> None:
    shift = board.kpi(LINE, "shift")
    assert shift is not None
    steps = waterfall(shift, ISO)
    levels = {step["name"]: step["minutes"] for step in steps if step["kind"] == "level"}
    assert levels == {"calendar": 360, "planned": 330, "available": 240, "effective": 214, "valuable": 210}
    assert levels["calendar"] - sum(step["minutes"] for step in steps if step["kind"] == "loss") == levels["valuable"]


@given(
    st.dictionaries(st.sampled_from(["APT", "ADET", "AUST", "PDOT", "unplanned"]), st.integers(0, HOUR), min_size=1),
    st.dictionaries(
        st.sampled_from(["availability.ADET", "performance.speed", "quality.scrap"]), st.integers(-MINUTE, HOUR)
    ),
)
def test_whatever_was_lost_each_level_is_the_one_above_less_what_was_taken(
    elements: dict[str, int], lost: dict[str, int]
) -> None:
    steps = waterfall(kpi(LINE, "hour", T0, None, element_us=elements, loss_us=lost), ISO)
    left = steps[0]["minutes"]
    for step in steps[1:]:
        if step["kind"] == "loss":
            left -= step["minutes"]
        assert math.isclose(step["left"], left, abs_tol=0.05)
        assert step["kind"] == "loss" or step["minutes"] == step["left"]


def test_losses_have_their_formula_and_other_windows(board: Board) -> None:
    shown = losses.spec.view(board, Visit(LINE, {"window": "hour", "at": str(T0 - 4 * HOUR)}))
    assert shown["window"]["begin"] == T0 - 4 * HOUR
    assert "APT" in shown["formulas"]["kpis"]["availability"]
    assert [part["path"] for part in shown["parts"]] == [FILLER, PACKER]
    assert shown["audit"].startswith(LINE)
    assert losses.spec.view(board, Visit(LINE, {"window": "day"}))["window"] is None


def test_a_machine_shows_all_its_tags_and_a_trend(board: Board) -> None:
    shown = machine.spec.view(board, Visit(FILLER))
    assert [(tag["tag"], tag["quality"]) for tag in shown["tags"]] == [("FillVolume", "good"), ("Speed", "bad")]
    (trace,) = shown["trend"]["traces"]
    assert trace["tag"] == "FillVolume"
    assert len(trace["points"]) == 41
    bad = machine.spec.view(board, Visit(FILLER, {"trend": "Speed,nothing"}))["trend"]["traces"]
    assert [point[1] for point in bad[0]["points"]] == [None], "what is not good is a gap"
    assert json.loads(msgspec.json.encode(shown))


def test_traces_are_bounded() -> None:
    traces = Traces()
    for n in range(POINTS_MAX + 10):
        traces.take(snapshot(FILLER, T0 + n, "execute", T0, tags=(CurrentTag("A", T0 + n, n, 0),)))
    points = traces.trace(FILLER, "A", 0, T0 + POINTS_MAX + 10, 10**9)
    assert POINTS_MAX // 2 < len(points) <= POINTS_MAX
    assert points[-1] == (T0 + POINTS_MAX + 9, POINTS_MAX + 9)
    many = Traces()
    many.take(
        snapshot(FILLER, T0, "execute", T0, tags=tuple(CurrentTag(f"T{n}", T0, n, 0) for n in range(TAGS_MAX + 5)))
    )
    assert (len(many.tags(FILLER)), many.left_out) == (TAGS_MAX, 5)
    many.take(snapshot(FILLER, T0, "execute", T0, tags=(CurrentTag("word", T0, "x", 0), CurrentTag("on", T0, True, 0))))
    assert many.left_out == 5, "no numbers"


def test_no_line_is_drawn_over_a_silence() -> None:
    """A piece each 20 s, a stop of five minutes, pieces again: also where the points are thinned out."""
    traces, second = Traces(), 1_000_000
    times = [T0 + n * 20 * second for n in (*range(30), *range(45, 75))]
    for n, at in enumerate(times):
        traces.take(snapshot(FILLER, at, "execute", T0, tags=(CurrentTag("Volume", at, n, 0),)))
    for most in (1_000, 12):
        drawn = traces.trace(FILLER, "Volume", T0, times[-1], most)
        (gap,) = [at for at, value in drawn if value is None]
        assert times[29] < gap < times[30]
    setpoint = Traces()
    for at in (T0, T0 + 3_600 * second, T0 + 7_200 * second):
        setpoint.take(snapshot(FILLER, at, "execute", T0, tags=(CurrentTag("Setpoint", at, 1, 0),)))
    assert None not in [value for _, value in setpoint.trace(FILLER, "Setpoint", T0, times[-1] + 10**10, 100)]


@given(st.lists(st.floats(-1e9, 1e9), max_size=400), st.integers(4, 60))
def test_thinning_keeps_ends_and_extremes(values: list[float], most: int) -> None:
    points = [(n, value) for n, value in enumerate(values)]
    kept = thinned(points, most)
    assert len(kept) <= max(most, 4)
    assert kept == sorted(kept)
    assert set(kept) <= set(points)
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        assert max(value for _, value in kept) == max(values)
        assert min(value for _, value in kept) == min(values)


def test_places_are_bounded() -> None:
    shown = Board()
    shown.cells = {f"p{n}": CellBoard(f"p{n}") for n in range(PLACES_MAX)}
    shown.apply(snapshot(FILLER, T0, "execute", T0))
    assert (shown.beyond, FILLER in shown.cells) == (1, False)
