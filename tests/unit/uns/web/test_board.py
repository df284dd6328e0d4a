"""What the screen draws, read from the pure half of the page."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Alert, Current, CurrentTag, Inputs, Oee, State
from topology.kpi.definition import definition
from uns.web.board import STATES_MAX, Board
from uns.web.line import charts
from uns.web.line.machines import machine
from uns.web.line.view import view
from uns.web.namespace import STALE_US, Namespace
from uns.web.screen import UnknownPlace, Visit
from uns.web.theme import FAULT, NOT_OBSERVED, RUNNING, STOPPED, UNKNOWN, look

MINUTE = 60_000_000
T0 = 1_795_000_000_000_000
PATH = "acme/dallas/packaging/line-1/filler"
ISO = definition("iso22400@1")  # read once, here: reading takes longer than hypothesis grants an example


def common(kind: str, at: int, end: int | None = None, revision: int = 0) -> dict[str, Any]:
    return {
        "id": f"{PATH}#{kind}@{at}~iso22400@1:{revision}",
        "path": PATH,
        "started_at": at,
        "ended_at": end,
        "definition": "iso22400@1",
        "status": "final",
        "revision": revision,
        "inputs": Inputs("uns.acme.dallas.packaging.raw", 0, 0, 0),
    }


def state(at: int, end: int | None, name: str = "execute", revision: int = 0) -> State:
    return State(**common("state", at, end, revision), state=name, mode="production", element="APT")


def current(at: int, name: str = "execute", good: int = 0) -> Current:
    return Current(
        **common("current", at),
        at=at,
        state=name,
        mode="production",
        state_since=at,
        last_seen=at,
        order="4711",
        product="<b>cola</b>",
        shift="early",
        good=good,
        scrap=0,
        availability=None,
        performance=None,
        quality=None,
        oee=None,
        open_alerts=0,
        tags=(CurrentTag("Speed", at, 1.5, 0x80000000),),
    )


def board(*records: Any) -> Board:
    shown = Board()
    for record in records:
        shown.apply(record)
    return shown


@given(st.permutations([0, 1, 2, 3]))
def test_the_newest_revision_wins_in_any_order(revisions: list[int]) -> None:
    shown = board(*(state(T0, T0 + revision, revision=revision) for revision in revisions))
    assert [record.revision for record in shown.cells[PATH].states] == [3]


def test_memory_per_cell_is_bounded_and_keeps_the_latest() -> None:
    shown = board(*(state(T0 + number, T0 + number + 1) for number in range(STATES_MAX + 50)))
    states = list(shown.cells[PATH].states)
    assert len(states) == STATES_MAX
    assert states[-1].started_at == T0 + STATES_MAX + 49


def test_nothing_known_never_looks_like_running_or_stopped() -> None:
    assert look("unknown") is UNKNOWN
    assert look("a state nobody has heard of") is UNKNOWN
    assert look("execute") is RUNNING
    assert look("stopped") is STOPPED
    assert UNKNOWN.dashed


def test_a_machine_is_drawn_as_no_data_without_a_fresh_snapshot() -> None:
    """Without a live feed the browser draws it so: test_screens.py."""
    shown = board(current(T0))
    assert machine(shown, shown.cells[PATH])["look"] == RUNNING.key
    shown.now = T0 + STALE_US + 1
    assert machine(shown, shown.cells[PATH])["look"] == UNKNOWN.key


def test_a_search_finds_places_and_tags_and_marks_bad_quality() -> None:
    namespace = Namespace()
    namespace.apply(current(T0))
    assert namespace.places() == [
        "acme",
        "acme/dallas",
        "acme/dallas/packaging",
        "acme/dallas/packaging/line-1",
        PATH,
    ]
    assert namespace.find("FILL speed") == [{"path": PATH, "tag": "Speed", "value": "1.5", "at": T0, "quality": "bad"}]
    assert [one["path"] for one in namespace.find("pack") if "tag" not in one] == namespace.places()[2:]
    assert namespace.find("  ") == namespace.find("capper") == []


def test_the_timeline_clips_to_its_reach_and_leaves_out_withdrawn_intervals() -> None:
    shown = board(
        current(T0),
        state(T0 - 600 * MINUTE, T0 - 500 * MINUTE),
        state(T0 - 500 * MINUTE, T0 - 450 * MINUTE),
        state(T0 - 70 * MINUTE, T0 - 30 * MINUTE),
        state(T0 - 30 * MINUTE, T0 - 30 * MINUTE, "held"),
        state(T0 - 29 * MINUTE, None, "aborted"),
    )
    (band,) = charts.timeline(shown, [shown.cells[PATH]])
    begin = T0 - charts.TIMELINE_US
    assert band["states"] == [
        [begin, T0 - 450 * MINUTE, RUNNING.key, "execute"],
        [T0 - 70 * MINUTE, T0 - 30 * MINUTE, RUNNING.key, "execute"],
        [T0 - 29 * MINUTE, None, FAULT.key, "aborted"],
    ]


def oee(window: str, at: int, **element_us: int) -> Oee:
    return Oee(
        **common(f"oee-{window}", at, at + 60 * MINUTE),
        window=window,
        window_name=None,
        element_us=element_us,
        good=90,
        scrap=10,
        ideal_us=10 * MINUTE,
        ideal_good_us=9 * MINUTE,
        availability=None,
        performance=None,
        quality=None,
        oee=None,
        order=None,
        product=None,
    )


def test_the_newest_window_that_has_begun_is_shown() -> None:
    shown = board(
        current(T0 + 90 * MINUTE), oee("hour", T0), oee("hour", T0 + 60 * MINUTE), oee("shift", T0 + 600 * MINUTE)
    )
    found = shown.window(shown.cells[PATH], "hour")
    assert found is not None
    assert found.started_at == T0 + 60 * MINUTE
    assert shown.window(shown.cells[PATH], "shift") is None


def test_open_alerts_are_the_severe_ones_first_and_no_cleared_ones() -> None:
    def alert(at: int, severity: str, status: str) -> Alert:
        return Alert(
            **common(f"alert-{severity}-{status}", at),
            kind="quality",
            severity=severity,
            state=status,
            subject="Offset",
            message="x",
            acknowledged_by=None,
            cause="c",
        )

    shown = board(
        alert(T0, "medium", "raised"), alert(T0 + 1, "high", "acknowledged"), alert(T0 + 2, "high", "cleared")
    )
    assert [(found.severity, found.state) for found in shown.open_alerts("acme/dallas")] == [
        ("high", "acknowledged"),
        ("medium", "raised"),
    ]
    assert shown.open_alerts("acme/dal") == []


def test_beside_a_ratio_stands_how_much_of_the_time_was_seen() -> None:
    """How it is put into words: test_screens.py."""
    shown = Board()
    for coverage, why in ((0.62, None), (0.0, "no state known"), (1.0, None)):
        shown.apply(msgspec.structs.replace(current(T0 + MINUTE), at=T0 + MINUTE, coverage=coverage, why_null=why))
        drawn = machine(shown, shown.cells[PATH])
        assert (drawn["coverage"], drawn["why_null"]) == (coverage, why)
    assert look("unknown", "not_observed") is NOT_OBSERVED
    assert look("unknown", "unknown") is UNKNOWN


def told(at: int, lag_s: int | None) -> Current:
    """A snapshot of a machine whose newest value is so old."""
    return msgspec.structs.replace(current(at), last_seen=None if lag_s is None else at - lag_s * 1_000_000)


def clock_off_s(*records: Current) -> float | None:
    one = board(*records)
    off = machine(one, one.cells[PATH])["clock_off_us"]
    return None if off is None else off / 1_000_000


def test_a_clock_that_is_off_is_no_mere_silence() -> None:
    seconds = [T0 + n * 1_000_000 for n in range(20)]
    assert clock_off_s(*(told(at, 3600) for at in seconds)) == -3600
    assert clock_off_s(*(told(at, -120) for at in seconds)) == 120
    assert clock_off_s(*(told(at, 2) for at in seconds)) is None, "values take their time"
    assert clock_off_s(*(told(at, n) for n, at in enumerate(seconds))) is None, "it fell silent"
    assert clock_off_s(*(told(at, 7200 - 300 * n) for n, at in enumerate(seconds))) is None, "history that is caught up"
    assert clock_off_s(*(told(at, None) for at in seconds)) is None
    assert clock_off_s(*(told(at, 3600) for at in seconds[:4])) is None, "too little is known"


def test_a_place_that_is_not_known_is_no_other_place() -> None:
    shown = board(current(T0))
    line = PATH.rpartition("/")[0]
    for place in ("", "acme", line, PATH):
        assert view(shown, Visit(place))["line"]["path"] == line
    for place in ("acme/dallas/packaging/line-2", "acme/dallas/packaging/line", "acme/dal"):
        with pytest.raises(UnknownPlace) as told:
            view(shown, Visit(place))
        assert (told.value.place, told.value.known) == (place, (line,))
    assert view(Board(), Visit())["line"] is None


def alert(at: int) -> Alert:
    return Alert(
        **common("alert", at),
        kind="machine_silent",
        severity="high",
        state="raised",
        subject="",
        message="silent",
        acknowledged_by=None,
        cause="",
    )


@given(st.permutations([state(T0, None), alert(T0), state(T0 + 1, None)]), st.booleans())
def test_a_machine_that_left_the_plant_is_gone_whatever_comes_later_and_comes_back_with_a_snapshot(
    later: list[Any], known: bool
) -> None:
    """Its alerts and stops stay in their topics, and come to a page that starts anew."""
    order = (PATH,) if known else ("acme/dallas/packaging/line-1/capper",)
    shown, namespace = Board(order=order), Namespace(order=order)

    def put(*records: Any) -> None:
        for record in records:
            shown.apply(record)
            namespace.apply(record)

    put(current(T0), alert(T0))
    assert shown.paths() == list(namespace.snapshots) == [PATH]
    assert shown.open_alerts()
    for one in (shown, namespace):
        one.remove(PATH)
    put(*later)
    assert (shown.paths(), shown.lines(), shown.open_alerts(), list(namespace.snapshots)) == ([], [], [], [])
    put(current(T0 + 2))
    assert shown.paths() == list(namespace.snapshots) == [PATH]


def test_a_machine_that_no_model_names_is_shown_by_its_snapshot_only() -> None:
    """Kafka forgets a tombstone after a day: what the machine once said must not bring it back."""
    shown = Board(order=("acme/dallas/packaging/line-1/capper",))
    for record in (state(T0, None), alert(T0)):
        shown.apply(record)
    assert (shown.paths(), shown.open_alerts()) == ([], [])
    shown.apply(current(T0))
    assert shown.paths() == [PATH]
