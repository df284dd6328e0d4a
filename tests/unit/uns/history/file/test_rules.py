"""`uns fold` by worked examples: one test a rule."""

from typing import Any

import pytest

from tests.harness.fold_files import CELL, LINE, at, fact, folded, instant, minutes, of, only, plant, samples, whole
from uns.history.file.fold import Folded

HOUR = 3_600_000_000


# --- when time ends


def windows(found: Folded) -> list[tuple[str, str, str, dict[str, float]]]:
    """(window, from, to, minutes) of the OEE records, with times of day."""
    return [(r.window, _clock(r.started_at), _clock(r.ended_at), minutes(r)) for r in of(found, "oee")]


def _clock(micros: int) -> str:
    return f"{micros // HOUR % 24:02}:{micros // 60_000_000 % 60:02}"


SHIFT = fact("Shift", id="s", name="early", started_at="06:00", ended_at="14:00")
HISTORY = [samples("06:00", State="RUN"), samples("13:10", State="STOP"), samples("14:00", State="RUN")]


def test_a_history_that_ends_with_the_shift_has_nothing_unknown_and_nothing_after_it() -> None:
    found = folded(plant(), SHIFT, *HISTORY)
    assert minutes(only(found, "oee", window="shift")) == {"APT": 430, "ADOT": 50}
    assert [r.state for r in of(found, "state")] == ["execute", "stopped"]
    assert all(r.started_at < at("14:00") for r in found.records if r.message_class != "current")
    assert {r.status for r in found.records if r.message_class != "current"} == {"final"}
    assert only(found, "current").started_at == at("14:00")


def test_a_shift_that_is_told_goes_on_to_its_end_in_the_last_state() -> None:
    found = folded(plant(), SHIFT, *HISTORY[:2])
    assert minutes(only(found, "oee", window="shift")) == {"APT": 430, "ADOT": 50}
    planned = fact("Shift", id="t", name="late", started_at="14:00", ended_at="22:00")
    assert windows(folded(plant(), SHIFT, planned, *HISTORY[:2])) == windows(found), "the next one has not begun"


def test_without_a_shift_the_hour_and_the_order_end_with_the_file() -> None:
    order = fact("Order", id="o", product="water", started_at="06:00")
    found = folded(plant(), order, samples("06:00", State="RUN"), samples("06:40:30", State="STOP", Good=3))
    assert windows(found) == [("hour", "06:00", "06:40", {"APT": 40.5}), ("order", "06:00", "06:40", {"APT": 40.5})]
    (state,) = of(found, "state")
    assert (state.ended_at, state.status) == (at("06:40:30"), "final")


def test_a_tick_says_that_time_went_on() -> None:
    told = [samples("06:00", State="RUN"), samples("06:40", State="STOP")]
    found = folded(plant(), *told, {"type": "Tick", "at": "2026-11-23T07:30:00Z"})
    assert windows(found) == [
        ("hour", "06:00", "07:00", {"APT": 40, "ADOT": 20}),
        ("hour", "07:00", "07:30", {"ADOT": 30}),
    ]


def test_until_ends_time_before_and_after_the_file() -> None:
    sooner = folded(plant(), SHIFT, *HISTORY, until="13:20")
    assert minutes(only(sooner, "oee", window="shift")) == {"APT": 430, "ADOT": 10}
    later = folded(plant(), SHIFT, *HISTORY, until="14:15")
    assert windows(later)[-1] == ("hour", "14:00", "14:15", {"unplanned": 15})


CALENDAR = {
    "dallas": {"filter": "acme/#", "zone": "UTC", "shifts": {"early": {"begin": "06:00", "end": "14:00"}}},
}


def test_the_plants_own_shift_goes_on_where_the_last_state_holds() -> None:
    told = [samples("06:00", State="RUN"), samples("09:30", State="STOP")]
    found = folded(plant(CALENDAR), *told)
    window = only(found, "oee", window="shift")
    assert (window.window_name, minutes(window)) == ("2026-11-23-early", {"APT": 210, "ADOT": 270})
    silent = folded(plant(CALENDAR, silent_after_s=86_400), *told)
    window = only(silent, "oee", window="shift")
    assert (window.ended_at, minutes(window)) == (at("09:30"), {"APT": 210})


def test_a_silent_machine_is_unknown_from_its_last_sample_on() -> None:
    told = [samples(f"{hour:02}:{minute:02}", State="RUN") for hour in (6, 7) for minute in range(60)]
    found = folded(plant(silent_after_s=90), SHIFT, *told)
    assert minutes(only(found, "oee", window="shift")) == {"APT": 119, "unknown": 361}
    alert = only(found, "alert", kind="silent")
    assert (alert.ended_at, alert.state) == (at("14:00"), "raised")


def test_a_silence_over_a_full_hour_is_known_at_once() -> None:
    told = [samples(time, State="RUN") for time in ("06:30", "06:50", "07:40", "08:10")]
    found = folded(plant(silent_after_s=2_000), *told)
    assert windows(found) == [
        ("hour", "06:00", "07:00", {"APT": 20, "unknown": 10, "not_observed": 30}),
        ("hour", "07:00", "08:00", {"APT": 20, "unknown": 40}),
        ("hour", "08:00", "08:10", {"APT": 10}),
    ]
    assert {r.status for r in of(found, "oee")} == {"final"}


@pytest.mark.parametrize("after", [[], [samples("07:00", State="RUN")]], ids=["cut", "over"])
def test_a_stop_is_over_with_the_file_and_judged_by_its_length(after: list[dict[str, Any]]) -> None:
    told = [samples("06:00", State="RUN"), samples("06:58", State="STOP")]
    until = None if after else "07:00"
    found = whole(folded(plant(definition="nakajima@1"), *told, *after, until=until))
    stop = only(found, "downtime")
    assert (stop.kind, stop.ended_at, stop.status) == ("micro_stop", at("07:00"), "final")
    assert minutes(only(found, "kpi", window="hour")) == {"RUN": 58, "MINOR": 2}


def test_a_changeover_and_a_cycle_end_with_the_file() -> None:
    orders = [
        fact("Order", id="a", product="a", started_at="06:00", ended_at="06:20"),
        fact("Order", id="b", product="b", started_at="06:20"),
    ]
    told = [samples("06:00", State="RUN", Good=0), samples("06:10", Good=600), samples("06:40", State="STOP")]
    found = whole(folded(plant(), *orders, *told))
    changeover, cycle = only(found, "changeover"), only(found, "cycle")
    assert (changeover.started_at, changeover.ended_at) == (at("06:10"), at("06:40"))
    assert changeover.teardown_us + changeover.setup_us + changeover.run_in_us == 30 * 60_000_000
    assert (cycle.ended_at, cycle.cycles, cycle.interrupted) == (at("06:40"), 0, 600)


# --- rules that need a name


def test_orders_and_pieces_at_a_change() -> None:
    """What the counter shows at the change was made for the order before."""
    orders = [
        fact("Order", id=name, product=name, started_at=a, ended_at=b)
        for name, a, b in (("a", "06:00", "07:00"), ("b", "07:00", "08:00"))
    ]
    told = [samples("06:00", State="RUN", Good=0), samples("07:00", Good=90), samples("08:00", Good=100)]
    found = folded(plant(), *orders, *told)
    assert [(r.window_name, r.good) for r in of(found, "oee", window="order")] == [("a", 90), ("b", 10)]
    assert sum(r.good for r in of(found, "production")) == 100


def test_a_counter_reset_during_a_break() -> None:
    shift = fact("Shift", id="s", name="early", started_at="06:00", ended_at="14:00", breaks=[("09:00", "09:30")])
    counts = [("06:00", 500), ("08:59", 1_500), ("09:10", 0), ("09:31", 4), ("14:00", 800)]
    told = [samples("06:00", State="RUN"), *(samples(t, Good=good) for t, good in counts)]
    found = whole(folded(plant(), shift, *told))
    window = only(found, "oee", window="shift")
    assert (window.good, minutes(window)) == (1_800, {"PDOT": 30, "APT": 450})
    assert sum(r.resets for r in of(found, "production")) == 1
    assert sum(piece.good for piece in only(found, "kpi", window="shift").pieces) == 1_800


def test_an_order_that_ends_within_a_stop() -> None:
    orders = [
        fact("Order", id="a", product="a", started_at="06:00", ended_at="08:20"),
        fact("Order", id="b", product="b", started_at="08:50", ended_at="10:00"),
    ]
    told = [samples("06:00", State="RUN"), samples("08:00", State="STOP"), samples("09:00", State="RUN")]
    found = whole(folded(plant(), *orders, *told))
    by_order = {r.window_name: minutes(r) for r in of(found, "oee", window="order")}
    assert by_order == {"a": {"APT": 120, "ADET": 20}, "b": {"ADET": 10, "APT": 60}}
    assert {r.order: minutes(r) for r in of(found, "kpi", window="order")} == by_order
    assert {r.product: minutes(r) for r in of(found, "kpi", window="product")} == by_order
    assert {r.order: r.quantities["AOET"] / 60e6 for r in of(found, "kpi", window="order")} == {"a": 140, "b": 70}
    hour = only(found, "oee", window="hour", started_at=at("08:00"))
    assert minutes(hour) == {"ADET": 30, "ADOT": 30}, "without an order on the machine it is no delay of one"
    stops = [(_clock(r.started_at), _clock(r.ended_at), r.order) for r in of(found, "downtime")]
    assert stops == [("08:00", "09:00", "a")], "it is one stop all the same"


def test_two_reasons_that_overlap() -> None:
    """Each instant of the stop has one: that which begins later, then the machine's own. The lines' order is no matter."""
    told = [samples("06:00", State="RUN"), samples("08:00", State="STOP", Reason=301), samples("09:00", State="RUN")]
    reasons = [
        fact("Reason", CELL, id="r1", code=101, started_at="07:50", ended_at="08:40", by="ann"),
        fact("Reason", CELL, id="r2", code=201, started_at="08:10", ended_at="08:30", by="bob"),
    ]
    for order in (reasons, reasons[::-1]):
        found = whole(folded(plant(), *order, *told))
        parts = [(_clock(r.started_at), _clock(r.ended_at), r.reason_code, r.reason_by) for r in of(found, "downtime")]
        assert parts == [
            ("08:00", "08:10", 101, "ann"),
            ("08:10", "08:30", 201, "bob"),
            ("08:30", "08:40", 101, "ann"),
            ("08:40", "09:00", 301, None),
        ]
        assert {r.stop_started_at for r in of(found, "downtime")} == {at("08:00")}
        stops = only(found, "kpi", window="hour", started_at=at("08:00")).stops
        assert [(s.reason_code, s.category, s.count, s.stopped_us / 60e6) for s in stops] == [
            (101, "micro", 1, 20),
            (201, "breakdown", 1, 20),
            (301, "stop", 1, 20),
        ]
    (stop,) = of(folded(plant(), reasons[0] | {"ended_at": None, "started_at": instant("08:10")}, *told), "downtime")
    assert (stop.reason, _clock(stop.started_at), _clock(stop.ended_at)) == ("jam", "08:00", "09:00")


def test_the_last_line_of_a_fact_counts() -> None:
    first = fact("Order", id="o", product="a", started_at="07:00")
    again = fact("Order", id="o", product="b", started_at="06:30", ended_at="08:00")
    told = [samples("06:00", State="RUN"), samples("09:00", State="STOP")]
    order = only(folded(plant(), first, *told, again), "oee", window="order")
    assert (order.product, order.started_at, order.ended_at) == ("b", at("06:30"), at("08:00"))


BERLIN = {
    "filter": "acme/#",
    "zone": "Europe/Berlin",
    "shifts": {"early": {"begin": "06:00", "end": "14:00"}, "night": {"begin": "22:00", "end": "06:00"}},
}


@pytest.mark.parametrize(
    ("first", "last", "night", "hours"),
    [
        ("2026-03-28T22:00+01:00", "2026-03-29T14:00+02:00", "2026-03-28-night", 7),  # summer time begins
        ("2026-10-24T22:00+02:00", "2026-10-25T14:00+01:00", "2026-10-24-night", 9),  # and ends
        ("2026-11-22T22:00+01:00", "2026-11-23T14:00+01:00", "2026-11-22-night", 8),
    ],
)
def test_a_night_shift_over_a_change_of_the_clock(first: str, last: str, night: str, hours: int) -> None:
    told = [samples(first, State="RUN", Good=0), samples(last, State="STOP", Good=900)]
    found = whole(folded(plant({"berlin": BERLIN}), *told))
    shifts = {r.window_name: minutes(r) for r in of(found, "oee", window="shift")}
    assert shifts == {night: {"APT": 60.0 * hours}, f"{last[:10]}-early": {"APT": 480}}
    assert {r.window_name: minutes(r) for r in of(found, "kpi", window="shift")} == shifts
    assert sum(sum(r.element_us.values()) for r in of(found, "oee", window="hour")) == (hours + 8) * HOUR
    days = {r.window_name: minutes(r).get("APT") for r in of(found, "kpi", window="day")}
    assert days == {first[:10]: 120, last[:10]: 60.0 * (hours - 2 + 8)}, "the shift is of two days"


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_of_23_and_of_25_hours(day: str, hours: int) -> None:
    round_the_clock = BERLIN | {"shifts": {"day": {"begin": "00:00", "end": "24:00"}}}
    first, last = ("+01:00", "+02:00") if hours == 23 else ("+02:00", "+01:00")
    told = [samples(f"{day}T00:00{first}", State="RUN"), samples(f"{day}T23:59{last}", State="RUN")]
    found = whole(folded(plant({"berlin": round_the_clock}), *told))
    assert minutes(only(found, "oee", window="shift")) == {"APT": 60.0 * hours}
    of_day = only(found, "kpi", window="day")
    assert (of_day.window_name, minutes(of_day)) == (day, {"APT": 60.0 * hours})
    assert len(of(found, "kpi", window="hour")) == hours


def test_no_hour_has_a_leap_second() -> None:
    told = [samples("2016-12-31T23:00", State="RUN"), samples("2017-01-01T01:00", State="RUN")]
    found = whole(folded(plant(), *told))
    assert [sum(r.element_us.values()) for r in of(found, "oee")] == [HOUR, HOUR]
    assert [(r.window_name, minutes(r)["APT"]) for r in of(found, "kpi", window="day")] == [
        ("2016-12-31", 60),
        ("2017-01-01", 60),
    ]
    refused = folded(plant(), samples("2016-12-31T23:59:60", State="RUN")).refused
    assert [r.reason for r in refused] == ["bad_time"]
    assert "leap second" in refused[0].message


def test_counts_as_increments() -> None:
    tags = {
        "State": {"role": "state", "map": {"RUN": "execute"}},
        "Good": {"role": "good_count", "counts": "increments"},
    }
    begun, seven = samples("06:00", State="RUN", Good=5), samples("06:10", Good=7)
    once = [begun, seven | {"sequence": 2}, seven | {"sequence": 2}]
    assert only(folded(plant(tags=tags), *once, samples("07:00", State="RUN")), "oee").good == 12
    told = [begun, seven, seven]
    found = folded(plant(tags=tags), *told, samples("07:00", State="RUN"))
    assert only(found, "oee").good == 19
    for end, hours in (("06:20", [28]), ("07:00", [19, 9]), ("07:01", [19, 9])):
        last = folded(plant(tags=tags), *told, samples(end, Good=9))
        assert [(r.started_at, r.good) for r in of(last, "production")][-1] == (at(end), 9), "nothing is lost"
        assert [r.good for r in of(last, "oee")] == hours
        made = [sum(part.good for part in r.pieces) for r in of(last, "kpi")]
        assert sorted(made) == sorted([28, *hours]), "and the day has it, too"


def test_what_is_stamped_with_the_last_moment() -> None:
    """A reason of a stop that lasts, an alert, a point, a meter: by a sample, by a fact, and where `until` ends time."""
    tags = {
        "State": {"role": "state", "map": {"RUN": "execute", "STOP": "stopped"}},
        "Good": {"role": "good_count", "counts": "increments"},
        "Reason": {"role": "reason"},
        "Energy": {"role": "energy"},
        "Volume": {"role": "characteristic", "baseline": 2},
    }
    begun = [samples("06:00", State="RUN", Energy=0), *(samples(f"06:0{n}", Volume=n % 2 / 10) for n in range(1, 7))]
    stop = samples("06:30", State="STOP")
    last = samples("06:40", Reason=101, Energy=5, Volume=100.0, Good=4)
    said = fact("Reason", path=CELL, id="r", code=201, started_at="06:40", by="ann")
    for told, code in (([last], 101), ([last, said], 201), ([last, said, samples("06:50", Good=1, Reason=201)], 201)):
        found = folded(plant(tags=tags), *begun, stop, *told, until="06:40")
        assert only(found, "downtime").reason_code == code
        assert {r.quantities["E"] for r in of(found, "kpi")} == {5.0}
        assert of(found, "quality")[-1].value == 100.0
        (alert,) = [r for r in of(found, "alert") if r.kind == "quality"]
        assert (alert.started_at, alert.ended_at) == (at("06:40"), at("06:40") + 1)
        assert only(found, "oee").good == 4


def test_an_order_that_begins_with_the_last_moment_is_there_where_it_counts() -> None:
    tags = {
        "State": {"role": "state", "map": {"RUN": "execute"}},
        "Good": {"role": "good_count", "counts": "increments"},
    }
    orders = [
        fact("Order", id="a", product="cola", started_at="06:00", ended_at="06:30"),
        fact("Order", id="b", product="lemon", started_at="06:30"),
    ]
    for good, expected in ((3, {"a": 5, "b": 3}), (0, {"a": 5})):
        found = folded(plant(tags=tags), *orders, samples("06:00", State="RUN", Good=5), samples("06:30", Good=good))
        for name in ("oee", "kpi"):
            windows = [r for r in of(found, name) if r.window == "order"]
            made = {r.order: r.good if name == "oee" else sum(p.good for p in r.pieces) for r in windows}
            assert made == expected


def test_ten_days_in_any_order_are_not_late() -> None:
    told = [
        samples(f"2026-11-{day:02}T{hour:02}:00", State="RUN" if hour % 2 else "STOP", Good=24 * day + hour)
        for day in range(1, 11)
        for hour in range(24)
    ]
    found = folded(
        plant(),
        *told[::-1],
        fact("Order", id="o", product="a", started_at="2026-11-01T06:00", ended_at="2026-11-10T18:00"),
    )
    assert not found.refused
    assert sum(r.good for r in of(found, "production")) == 239
    order = only(found, "oee", window="order")
    assert (order.good, minutes(order)) == (228, {"APT": 114 * 60, "ADET": 114 * 60})
    assert len(of(found, "oee", window="hour")) == 239


def test_a_reason_given_after_a_weekend_reaches_the_begin_of_the_stop() -> None:
    """Friday 14:00 to Monday 22:00; the machine says why a minute after, the operator when the next week begins."""
    order = fact("Order", id="o", product="a", started_at="2026-11-20T12:00", ended_at="2026-11-24T00:00")
    told = [
        samples("2026-11-20T12:00", State="RUN", Good=0),
        samples("2026-11-20T14:00", State="STOP", Good=50),
        samples("2026-11-20T14:01", Reason=101),
        samples("2026-11-23T22:00", State="RUN"),
        samples("2026-11-24T01:00", Good=500),
        order,
    ]
    assert only(whole(folded(plant(), *told)), "downtime").reason == "jam"
    said = fact("Reason", CELL, id="r", code=201, started_at="2026-11-23T20:00", by="ann")
    found = whole(folded(plant(), *told, said))
    assert only(found, "downtime").reason == "drive"
    for window in ("day", "product"):
        repair = {r.started_at: r.quantities["TTR"] / HOUR for r in of(found, "kpi", window=window)}
        assert list(repair.values())[:4] == [10, 24, 24, 22]


def test_an_alert_is_acknowledged() -> None:
    told = [samples("06:00", State="RUN"), samples("08:10", State="STOP", Reason=201), samples("09:00", State="RUN")]
    alert = f"{CELL}#alert.breakdown@20261123T081000.000000Z~iso22400@1"
    ack = fact("Acknowledge", CELL, alert=alert, at="08:15", by="ann")
    found = folded(plant(), ack, *told)
    assert not found.refused
    assert only(found, "alert").acknowledged_by == "ann"


def test_all_revisions_end_with_the_last_ones() -> None:
    told = [SHIFT, *HISTORY[:2], samples("13:30:30", Good=1), samples("13:40", Good=4)]
    every, last = folded(plant(), *told, every=True), folded(plant(), *told)
    newest = {r.natural_id: r for r in every.records if r.message_class != "current"}
    assert {r.id: r for r in newest.values()} == {r.id: r for r in last.records if r.message_class != "current"}
    assert len(every.records) > len(last.records)
    by_record: dict[str, list[int]] = {}
    for record in every.records:
        by_record.setdefault(record.natural_id, []).append(record.revision)
    assert all(revisions == list(range(len(revisions))) for revisions in by_record.values())


def test_facts_of_the_line_and_of_the_machine() -> None:
    shift = fact("Shift", CELL, id="s", name="early", started_at="06:00", ended_at="07:00")
    assert minutes(only(folded(plant(), shift, samples("06:30", State="RUN")), "oee", window="shift"))["APT"] == 30
    assert LINE in str(folded(plant(), fact("Order", f"{LINE}x", id="o", product="a", started_at="06:00")).refused)
