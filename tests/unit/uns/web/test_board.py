"""What the screen draws, read from the pure half of the page."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Alert, Current, CurrentTag, Downtime, Inputs, Oee, Quality, State
from topology.kpi.definition import definition
from uns.web import text
from uns.web.line import cards, charts
from uns.web.line.board import STATES_MAX, Board
from uns.web.namespace import STALE_US, Namespace
from uns.web.theme import NOT_OBSERVED, RUNNING, STOPPED, UNKNOWN, look

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


def test_a_machine_is_drawn_as_no_data_without_a_live_feed_or_a_fresh_snapshot() -> None:
    shown = board(current(T0))
    cell = shown.cells[PATH]
    assert cards.cell_look(shown, cell, live=True) is RUNNING
    assert cards.cell_look(shown, cell, live=False) is UNKNOWN
    shown.now = T0 + STALE_US + 1
    assert cards.cell_look(shown, cell, live=True) is UNKNOWN
    assert "running" not in cards.card(shown, cell, live=True)


def test_text_from_a_source_cannot_become_markup() -> None:
    shown = board(current(T0))
    assert "<b>cola" not in cards.card(shown, shown.cells[PATH], live=True)


def test_the_tree_has_the_namespace_and_marks_bad_quality() -> None:
    namespace = Namespace()
    namespace.apply(current(T0))
    (enterprise,) = namespace.tree(live=True)
    node = enterprise
    for name in ("dallas", "packaging", "line-1"):
        (node,) = node["children"]
        assert node["label"] == name
    (cell,) = node["children"]
    assert cell["label"] == "▶ filler"
    assert cell["children"][0]["label"] == "Speed  1.5 (bad quality)"


def test_the_timeline_clips_to_the_last_hour_and_leaves_out_withdrawn_intervals() -> None:
    shown = board(
        current(T0),
        state(T0 - 200 * MINUTE, T0 - 100 * MINUTE),
        state(T0 - 70 * MINUTE, T0 - 30 * MINUTE),
        state(T0 - 30 * MINUTE, T0 - 30 * MINUTE, "held"),
        state(T0 - 29 * MINUTE, None, "aborted"),
    )
    options = charts.timeline(shown, [shown.cells[PATH]])
    drawn = [entry["value"] for series in options["series"] for entry in series["data"]]
    assert drawn == [
        [0, (T0 - 60 * MINUTE) / 1000, (T0 - 30 * MINUTE) / 1000, "execute", 0],
        [0, (T0 - 29 * MINUTE) / 1000, T0 / 1000, "aborted", 0],
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


def test_losses_add_up_to_the_planned_busy_time() -> None:
    window = oee(
        "hour",
        T0,
        APT=20 * MINUTE,
        ADET=12 * MINUTE,
        AUST=5 * MINUTE,
        ADOT=2 * MINUTE,
        unknown=MINUTE,
        PDOT=20 * MINUTE,
    )
    lost = charts.losses_min(window, ISO)
    assert sum(lost.values()) == 40
    assert lost["good"] == 9
    assert lost["quality"] == 1
    assert lost["speed"] == 10


def test_losses_are_those_of_the_definition() -> None:
    window = oee("hour", T0, RUN=20 * MINUTE, BREAKDOWN=12 * MINUTE, MINOR=8 * MINUTE, PLANNED=20 * MINUTE)
    lost = charts.losses_min(window, definition("nakajima@1"))
    assert sum(lost.values()) == 40
    drawn = charts.losses([("filler", window)], definition("nakajima@1"))["series"]
    assert {one["name"]: one["data"] for one in drawn}["breakdown"] == [12]
    assert len({one["itemStyle"]["color"] for one in drawn}) == len(drawn)


def test_the_newest_window_that_has_begun_is_shown() -> None:
    shown = board(
        current(T0 + 90 * MINUTE), oee("hour", T0), oee("hour", T0 + 60 * MINUTE), oee("shift", T0 + 600 * MINUTE)
    )
    found = shown.window(shown.cells[PATH], "hour")
    assert found is not None
    assert found.started_at == T0 + 60 * MINUTE
    assert shown.window(shown.cells[PATH], "shift") is None


def stop(at: int, minutes: int, reason: str | None) -> Downtime:
    return Downtime(
        **common("downtime", at, at + minutes * MINUTE),
        kind="stop",
        state="held",
        reason_code=None,
        reason=reason,
        category="internal",
        order=None,
    )


def test_the_pareto_ranks_by_minutes_and_shows_what_nobody_explained() -> None:
    shown = board(current(T0), stop(T0, 5, "jam"), stop(T0 + 1, 4, None), stop(T0 + 2, 6, "jam"))
    options = charts.pareto(shown, [shown.cells[PATH]])
    assert options["xAxis"]["data"] == ["jam", "no reason (internal)"]
    assert options["series"][0]["data"] == [11.0, 4.0]
    assert options["series"][1]["data"] == [73.3, 100.0]


def test_a_flagged_point_names_its_rules() -> None:
    points = [
        Quality(
            **common("quality-Offset", T0 + number, T0 + number),
            characteristic="Offset",
            value=float(number),
            moving_range=1.0,
            phase="control",
            mean=1.0,
            lcl=0.0,
            ucl=2.0,
            range_ucl=3.0,
            lsl=None,
            usl=5.0,
            rules=(1, 5) if number == 3 else (),
            beyond="usl" if number in (0, 3) else None,
            limits_warning="not capable: UCL 6 above USL 5" if number == 3 else None,
        )
        for number in range(4)
    ]
    series = charts.control_chart(points)["series"][0]
    assert [entry["label"]["formatter"] for entry in series["data"]] == ["USL", "", "", "1,5,USL"]
    assert [entry["label"]["show"] for entry in series["data"]] == [True, False, False, True]
    assert charts.control_chart(points)["title"]["text"] == "not capable: UCL 6 above USL 5"
    assert charts.control_chart(points[:3])["title"]["text"] == ""
    assert [mark["name"] for mark in series["markLine"]["data"]] == ["x̄", "UCL", "LCL", "USL"]
    assert charts.control_chart([])["series"][0]["data"] == []
    aimed = charts.control_chart(points, {(points[0].path, "Offset"): 1.5})["series"][0]["markLine"]["data"]
    assert [(mark["name"], mark["yAxis"]) for mark in aimed][-1] == ("target", 1.5)


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


def test_no_denominator_is_a_dash_and_spans_read_like_a_clock() -> None:
    assert text.percent(None) == "–"
    assert text.percent(0.0) == "0.0 %"
    assert [text.span(seconds * 1_000_000) for seconds in (5, 65, 3720)] == ["5 s", "1 min", "1 h 02"]


def test_beside_a_ratio_stands_how_much_of_the_time_was_seen() -> None:
    assert (text.seen(1.0, None), text.seen(None, None)) == ("", "")
    assert text.seen(0.999, None) == "rests on 99 % of the time; the rest was not seen"
    assert text.seen(0.004, None) == "rests on under 1 % of the time; the rest was not seen"
    shown = Board()
    for coverage, why, words in ((0.62, None, "62 %"), (0.0, "no state known", "no state known"), (1.0, None, None)):
        shown.apply(msgspec.structs.replace(current(T0 + MINUTE), at=T0 + MINUTE, coverage=coverage, why_null=why))
        drawn = cards.card(shown, shown.cells[PATH], live=True)
        assert ("coverage" in drawn) is (words is not None)
        assert words is None or words in drawn
    assert look("unknown", "not_observed") is NOT_OBSERVED
    assert look("unknown", "unknown") is UNKNOWN


def told(at: int, lag_s: int | None) -> Current:
    """A snapshot of a machine whose newest value is so old."""
    return msgspec.structs.replace(current(at), last_seen=None if lag_s is None else at - lag_s * 1_000_000)


def shown(*records: Current) -> str:
    one = board(*records)
    return cards.card(one, one.cells[PATH], live=True)


def test_a_clock_that_is_off_is_no_mere_silence() -> None:
    seconds = [T0 + n * 1_000_000 for n in range(20)]
    assert "its clock is 1 h 00 behind: set it" in shown(*(told(at, 3600) for at in seconds))
    assert "its clock is 2 min ahead: set it" in shown(*(told(at, -120) for at in seconds))
    assert "its clock" not in shown(*(told(at, 2) for at in seconds)), "values take their time"
    assert "its clock" not in shown(*(told(at, n) for n, at in enumerate(seconds))), "it fell silent"
    assert "its clock" not in shown(*(told(at, 7200 - 300 * n) for n, at in enumerate(seconds))), (
        "history that is caught up"
    )
    assert "its clock" not in shown(*(told(at, None) for at in seconds))
    assert "its clock" not in shown(*(told(at, 3600) for at in seconds[:4])), "too little is known"


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
