"""What the charts of a line draw: losses, the ranking of stops, control charts."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Downtime, Quality
from tests.unit.uns.web.test_board import ISO, MINUTE, PATH, T0, common, oee
from topology.kpi.definition import definition
from uns.web.line import charts


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
    drawn = charts.losses([("filler", window)], definition("nakajima@1"))
    keys = [one["key"] for one in drawn["keys"]]
    assert dict(zip(keys, drawn["bars"][0]["minutes"], strict=True))["BREAKDOWN"] == 12
    assert len({one["token"] for one in drawn["keys"]}) == len(keys)


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
    stops = [stop(T0, 5, "jam"), stop(T0 + 20 * MINUTE, 4, None), stop(T0 + 10 * MINUTE, 6, "jam")]
    told = charts.pareto(stops, T0, T0 + 60 * MINUTE)
    assert [(bar["reason"], bar["category"], bar["minutes"], bar["share"]) for bar in told["bars"]] == [
        ("jam", "internal", 11.0, 0.7333),
        (None, "internal", 4.0, 1.0),
    ]
    assert (told["begin"], told["end"], told["total"]) == (T0, T0 + 60 * MINUTE, 15.0)


def test_the_pareto_counts_a_minute_once_and_waiting_for_another_machine_is_no_cause() -> None:
    waiting = [
        msgspec.structs.replace(stop(T0, 5, None), state="suspended", category="material_flow", path=f"{PATH}{n}")
        for n in range(3)
    ]
    both = [msgspec.structs.replace(stop(T0, 5, "no material"), path=f"{PATH}{n}") for n in range(4)]
    told = charts.pareto([*waiting, *both], T0 - MINUTE, T0 + 60 * MINUTE)
    assert [(bar["reason"], bar["minutes"], bar["count"]) for bar in told["bars"]] == [("no material", 5.0, 4)]
    assert told["waiting"] == 5.0


def test_the_pareto_is_of_its_period_alone() -> None:
    told = charts.pareto(
        [stop(T0 - 5 * 24 * 60 * MINUTE, 600, "old"), stop(T0 - 5 * MINUTE, 10, "jam")], T0, T0 + MINUTE
    )
    assert [(bar["reason"], bar["minutes"]) for bar in told["bars"]] == [("jam", 1.0)]


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 90), st.sampled_from(["jam", None, "pump"])), max_size=20),
    st.integers(0, 500),
    st.integers(1, 300),
)
def test_no_reason_takes_more_minutes_than_there_were(
    told: list[tuple[int, int, str | None]], begin: int, length: int
) -> None:
    stops = [stop(T0 + at * MINUTE, minutes, reason) for at, minutes, reason in told]
    drawn = charts.pareto(stops, T0 + begin * MINUTE, T0 + (begin + length) * MINUTE)
    assert all(0 < bar["minutes"] <= length for bar in drawn["bars"])
    assert [bar["minutes"] for bar in drawn["bars"]] == sorted((b["minutes"] for b in drawn["bars"]), reverse=True)
    assert not drawn["bars"] or drawn["bars"][-1]["share"] == 1


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
    drawn = charts.control_chart(points)
    assert [entry["flags"] for entry in drawn["points"]] == [["USL"], [], [], ["1", "5", "USL"]]
    assert drawn["warning"] == "not capable: UCL 6 above USL 5"
    assert charts.control_chart(points[:3])["warning"] is None
    assert (drawn["usl"], drawn["lsl"], drawn["target"], drawn["unit"]) == (5.0, None, None, None)
    assert charts.control_chart([])["points"] == []
    key = points[0].path, "Offset"
    aimed = charts.control_chart(points, {key: 1.5}, {key: "mm"})
    assert (aimed["target"], aimed["unit"]) == (1.5, "mm")
    other = [msgspec.structs.replace(point, chart="cusum") for point in points]
    plotted = charts.control_chart(other, {key: 1.5}, {key: "mm"})
    assert (plotted["target"], plotted["unit"], plotted["usl"]) == (None, None, None), "not in the unit of the values"


def test_each_point_has_the_limits_that_held_and_a_gap_is_seen() -> None:
    points = [
        Quality(
            **common("quality-Offset", T0 + at * MINUTE, T0 + at * MINUTE),
            characteristic="Offset",
            value=1.0,
            moving_range=None,
            phase="control",
            mean=1.0,
            lcl=None,
            ucl=2.0 if at < 3 else 3.0,
            range_ucl=None,
            lsl=None,
            usl=None,
            rules=(),
        )
        for at in (0, 1, 2, 3, 30, 31)
    ]
    drawn = charts.control_chart(points)["points"]
    assert [point["ucl"] for point in drawn] == [2.0, 2.0, 2.0, 3.0, 3.0, 3.0]
    assert [point["gap"] for point in drawn] == [False, False, False, True, False, False]
