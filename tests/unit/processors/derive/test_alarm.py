"""Alarm rules through the whole fold: the life of an alarm after ISA-18.2, restarts at every point, late data, a flood."""

import random
from typing import Any

import pytest

from processors.base import Input
from processors.inputs.admission import Admission
from processors.line import LineFold
from schemas.records import Acknowledge, Alert, OutOfService, Sample, Samples
from tests.harness.alarm_logs import alarmed, alerts, shelve, told
from tests.harness.alarm_oracle import Seen, Setting, occurrences
from tests.harness.line_logs import (
    CELL,
    EXECUTE,
    HELD,
    HOUR,
    MINUTE,
    OTHER,
    STOPPED,
    T0,
    TOPIC,
    Run,
    S,
    Told,
    beats,
    ordered,
    samples,
    tick,
    ticks,
)

HIGH = {"kind": "limit", "tag": "Temp", "hi": 85, "deadband": 5, "unit": "°C", "priority": "high"}


def log(*parts: list[Told] | Told, end: int = 10 * MINUTE, every: int = S) -> list[Told]:
    """A punctual plant: samples with signs of life and ticks each second up to `end`."""
    flat: list[Told] = []
    for part in parts:
        flat += part if isinstance(part, list) else [part]
    return ordered([*flat, *beats(T0, T0 + end), *ticks(T0, T0 + end, every)])


def temp(at_s: float, value: Any) -> Told:
    return samples(T0 + round(at_s * S), Temp=value)


def ack(alert: Alert, at_s: float, action: str = "acknowledge", comment: str | None = None) -> Told:
    return CELL, Acknowledge(alert=alert.natural_id, at=T0 + round(at_s * S), by="anna", comment=comment, action=action)


def states(run: Run, kind: str = "limit") -> list[str]:
    """The states that an operator sees one after the other."""
    seen = [record.alarm_state or "" for record in run.records if isinstance(record, Alert) and record.kind == kind]
    return [state for n, state in enumerate(seen) if n == 0 or state != seen[n - 1]]


def test_an_alarm_comes_is_acknowledged_and_returns() -> None:
    run = told(alarmed({"hot": HIGH}), log(temp(0, 20), temp(60, 85.25), end=2 * MINUTE))
    (raised,) = alerts(run, "limit")
    assert raised.message == f"{CELL} Temp is high: 85.25 °C, the limit is 85 °C"
    assert (raised.alarm, raised.severity, raised.value, raised.limit) == ("hot.hi", "high", 85.25, 85)
    assert (raised.state, raised.alarm_state, raised.annunciated_at) == ("raised", "unacknowledged", T0 + MINUTE)
    run.feed([ack(raised, 130, comment="cooler is checked"), tick(T0 + 131 * S)])
    (seen,) = alerts(run, "limit")
    assert (seen.state, seen.alarm_state) == ("acknowledged", "acknowledged")
    assert (seen.acknowledged_by, seen.acknowledged_at, seen.comment) == ("anna", T0 + 130 * S, "cooler is checked")
    run.feed([temp(140, 79.9), tick(T0 + 160 * S)])
    (over,) = alerts(run, "limit")
    assert (over.state, over.alarm_state, over.ended_at, over.status) == ("cleared", "normal", T0 + 140 * S, "final")


def test_one_that_returns_before_it_is_seen_waits_for_it() -> None:
    run = told(alarmed({"hot": HIGH}), log(temp(0, 90), temp(60, 20), end=2 * MINUTE))
    (raised,) = alerts(run, "limit")
    assert (raised.state, raised.alarm_state) == ("cleared", "returned_unacknowledged")
    run.feed([ack(raised, 130), tick(T0 + 131 * S)])
    assert alerts(run, "limit")[0].alarm_state == "normal"


def test_a_latched_alarm_goes_on_until_it_is_reset() -> None:
    model = alarmed({"hot": {**HIGH, "latch": True}})
    run = told(model, log(temp(0, 90), temp(60, 20), end=2 * MINUTE))
    (raised,) = alerts(run, "limit")
    assert (raised.state, raised.alarm_state, raised.ended_at) == ("raised", "latched_unacknowledged", None)
    assert raised.returned_at == T0 + MINUTE
    run.feed([ack(raised, 130), tick(T0 + 131 * S)])
    assert alerts(run, "limit")[0].alarm_state == "latched_acknowledged"
    run.feed([ack(raised, 140, "reset"), tick(T0 + 141 * S), tick(T0 + 160 * S)])
    (over,) = alerts(run, "limit")
    assert (over.state, over.ended_at, over.returned_at) == ("cleared", T0 + 140 * S, T0 + MINUTE)
    run.feed([ack(raised, 170, "snooze")])
    assert run.rejections[-1].reason == "unknown_action"


def test_a_shelved_alarm_comes_back_by_itself() -> None:
    run = told(
        alarmed({"hot": HIGH}),
        log(shelve(T0 + 30 * S, T0 + 90 * S, "hot"), temp(0, 20), temp(60, 90), end=80 * S),
    )
    (hidden,) = alerts(run, "limit")
    assert (hidden.state, hidden.alarm_state, hidden.annunciated_at) == ("shelved", "shelved", None)
    assert (hidden.hidden_by, hidden.hidden_until) == ("anna", T0 + 90 * S)
    run.feed(ticks(T0 + 81 * S, T0 + 100 * S, S))
    (shown,) = alerts(run, "limit")
    assert (shown.state, shown.alarm_state, shown.annunciated_at) == ("raised", "unacknowledged", T0 + 90 * S)
    assert states(run) == ["shelved", "unacknowledged"]


def test_a_shelf_is_taken_away_by_the_same_id_and_is_not_for_ever() -> None:
    run = told(alarmed({"hot": HIGH}), log(shelve(T0, T0 + HOUR, "hot.hi"), temp(60, 90), end=80 * S))
    run.feed([shelve(T0, T0 + 85 * S, "hot.hi"), *ticks(T0 + 81 * S, T0 + 100 * S, S)])
    assert alerts(run, "limit")[0].annunciated_at == T0 + 85 * S
    run.feed([shelve(T0, T0 + 8 * 24 * HOUR, "hot", "s2")])
    assert run.rejections[-1].reason == "out_of_range"
    assert "out of service" in run.rejections[-1].message


def test_out_of_service_and_alerts_without_a_rule_live_the_same_life() -> None:
    service = CELL, OutOfService(id="o", alarm="silent", started_at=T0, by="bo", comment="cable is moved")
    run = told(alarmed({}), ordered([service, samples(T0, State=EXECUTE), *ticks(T0, T0 + 5 * MINUTE)]))
    (quiet,) = alerts(run, "silent")
    assert (quiet.state, quiet.alarm, quiet.hidden_by, quiet.annunciated_at) == ("out_of_service", "silent", "bo", None)
    back = CELL, OutOfService(id="o", alarm="silent", started_at=T0, ended_at=T0 + 400 * S, by="bo")
    run.feed([back, *ticks(T0 + 310 * S, T0 + 420 * S)])
    assert (alerts(run, "silent")[0].state, alerts(run, "silent")[0].annunciated_at) == ("raised", T0 + 400 * S)


def test_suppressed_by_design_in_a_state() -> None:
    model = alarmed({"cold": {"kind": "limit", "tag": "Temp", "lo": 40, "suppress_states": ["stopped"]}})
    run = told(
        model,
        log(samples(T0, State=EXECUTE), temp(10, 50), samples(T0 + 60 * S, State=STOPPED), temp(70, 30), end=100 * S),
    )
    (hidden,) = alerts(run, "limit")
    assert (hidden.state, hidden.alarm_state, hidden.hidden_by) == ("suppressed", "suppressed", "stopped")
    run.feed([samples(T0 + 110 * S, State=EXECUTE), tick(T0 + 111 * S)])
    (shown,) = alerts(run, "limit")
    assert (shown.state, shown.annunciated_at) == ("raised", T0 + 110 * S)


def test_the_first_of_a_group_is_marked() -> None:
    rules = {
        name: {"kind": "limit", "tag": tag, "hi": 1, "group": "cooling"}
        for name, tag in (("pump", "Pump"), ("flow", "Flow"), ("heat", "Heat"))
    }
    run = told(
        alarmed(rules),
        log(
            samples(T0 + 10 * S, Flow=2), samples(T0 + 11 * S, Heat=2), samples(T0 + 12 * S, Pump=2),
            samples(T0 + 20 * S, Flow=0, Heat=0, Pump=0), samples(T0 + 30 * S, Heat=2), end=MINUTE,
        ),
    )  # fmt: skip
    marked = [(of.alarm, of.started_at // S - T0 // S, of.first_out) for of in alerts(run, "limit")]
    assert marked == [
        ("flow.hi", 10, True), ("heat.hi", 11, False), ("pump.hi", 12, False), ("heat.hi", 30, True),
    ]  # fmt: skip


def test_each_other_kind_of_rule() -> None:
    rules: dict[str, Any] = {
        "stuck": {"kind": "state", "states": ["held"], "longer_s": 120, "message": "clear the infeed"},
        "jams": {"kind": "count", "states": ["held"], "times": 2, "window_s": 600},
        "lost": {"kind": "missing", "tag": "Temp", "after_s": 90},
        "off": {"kind": "deviation", "tag": "Temp", "setpoint": "Aim", "limit": 5},
        "fast": {"kind": "rate", "tag": "Temp", "per_min": 10, "over_s": 5},
        "poor": {"kind": "kpi", "kpi": "availability", "below": 0.99},
    }
    parts = [
        samples(T0, State=EXECUTE, Aim=20), *(temp(n, 20) for n in range(0, 300, 10)),
        samples(T0 + 100 * S, State=HELD), samples(T0 + 110 * S, State=EXECUTE), samples(T0 + 120 * S, State=HELD),
        samples(T0 + 300 * S, State=EXECUTE), temp(300, 26),
    ]  # fmt: skip
    run = told(alarmed(rules), log(*parts, end=62 * MINUTE))
    begins = {of.kind: (of.started_at - T0) / S for of in alerts(run) if of.alarm in rules}
    assert begins == {"state": 240, "count": 120, "missing": 390, "deviation": 300, "rate": 300, "kpi": 3600}
    words = {of.kind: of.message.removeprefix(CELL) for of in alerts(run)}
    assert words["state"] == ": clear the infeed"
    assert words["missing"] == " Temp gives no good value for more than 90 s"
    assert words["count"] == " was held 2 times within 10 min"


def test_a_machine_has_rules_of_its_own() -> None:
    model = alarmed({"hot": HIGH}, {"hot": {**HIGH, "hi": 50}, "cold": {**HIGH, "hi": None, "lo": 10}})
    both = [samples(T0, path=path, Temp=60) for path in (CELL, OTHER)]
    run = told(model, ordered([*both, *ticks(T0, T0 + 30 * S)]))
    assert [of.limit for of in alerts(run, "limit")] == [50]
    assert alerts(run, "limit", OTHER) == []
    assert set(model.type_names.values()) == {"filler"}


def test_an_alarm_whose_rule_is_gone_ends() -> None:
    run = told(alarmed({"hot": HIGH}), log(temp(0, 90), end=MINUTE))
    run.plant = alarmed({})
    run.restart()
    run.feed([tick(T0 + 121 * S)])
    assert alerts(run, "limit")[0].state == "cleared"


def scenario() -> tuple[Any, list[Told]]:
    """All there is, in twenty minutes around a full hour; some of it late."""
    rules: dict[str, Any] = {
        "hot": {**HIGH, "on_delay_s": 3, "off_delay_s": 7, "group": "g"},
        "latched": {"kind": "limit", "tag": "Temp", "lo": 20, "latch": True, "suppress_states": ["stopped"]},
        "fast": {"kind": "rate", "tag": "Temp", "per_min": 300, "over_s": 5, "group": "g"},
        "jams": {"kind": "count", "states": ["held"], "times": 3, "window_s": 120},
        "lost": {"kind": "missing", "tag": "Temp", "after_s": 20},
        "stuck": {"kind": "state", "states": ["held", "stopped"], "longer_s": 25},
    }
    chance, start = random.Random(18), T0 + 50 * MINUTE
    heard: list[Told] = []
    for n in range(1200):
        if chance.random() < 0.3:
            heard.append(samples(start + n * S, Temp=chance.choice([15, 22, 50, 84, 86, 90])))
        if chance.random() < 0.03:
            heard.append(samples(start + n * S, State=chance.choice([EXECUTE, HELD, STOPPED])))
    heard += [shelve(start + 100 * S, start + 300 * S, "hot"), shelve(start + 600 * S, start + 700 * S, name="s2")]
    return alarmed(rules), ordered([*heard, *ticks(start, start + 1260 * S, 5 * S)])


def replayed(model: Any, parts: list[Told], cuts: int = 0) -> list[Any]:
    """What a fold says that is restored every so many records; latched alarms are reset as they are seen."""
    run = Run(model)
    for n, (path, record) in enumerate(parts):
        if cuts and n % cuts == 0:
            run.restart(random.Random(n))
        run.feed([(path, record)])
        if n % 97 == 0:
            standing = [of for of in alerts(run, "limit") if of.alarm == "latched.lo" and of.ended_at is None]
            run.feed([ack(of, (of.started_at - T0) / S + 60, "reset") for of in standing[-1:]])
    return run.outputs


def test_a_restart_changes_nothing() -> None:
    model, parts = scenario()
    once = replayed(model, parts)
    assert len({record.kind for record in once if isinstance(record, Alert)}) >= 5
    assert replayed(model, parts, 23) == once


@pytest.mark.long
def test_a_restart_at_any_point_changes_nothing() -> None:
    model, parts = scenario()
    once = replayed(model, parts)
    assert replayed(model, parts, 1) == once


@pytest.mark.parametrize("seed", range(3))
def test_late_data_end_in_the_same_alerts(seed: int) -> None:
    model, parts = scenario()
    chance = random.Random(seed)
    late = [part for part in parts if isinstance(part[1], Samples) and chance.random() < 0.2]
    punctual, shuffled = [part for part in parts if part not in late], list(late)
    chance.shuffle(shuffled)
    end = [tick(T0 + 72 * MINUTE), tick(T0 + 73 * MINUTE)]
    after = told(model, [*punctual, *shuffled, *end])
    before = told(model, [*parts, *end])

    def content(run: Run) -> list[Any]:
        return [(of.natural_id, of.ended_at, of.returned_at, of.annunciated_at, of.alarm_state, of.value, of.first_out)
                for of in alerts(run) if of.kind in ("limit", "rate", "count", "missing", "state")]  # fmt: skip

    assert content(after) == content(before)


def second(at: int | None) -> int | None:
    return None if at is None else (at - T0) // S


@pytest.mark.parametrize("seed", range(6))
def test_the_fold_says_what_second_by_second_says(seed: int) -> None:
    chance = random.Random(seed)
    setting = Setting(10.0, chance.choice([0.0, 2.0]), chance.choice([0, 3, 8]), chance.choice([0, 2, 9]), False)
    values = {at: chance.choice([7.0, 9.0, 10.0, 12.0]) for at in chance.sample(range(200), 60)}
    shelves = [(begin, begin + chance.randrange(1, 60)) for begin in chance.sample(range(200), 3)]
    rule = {"kind": "limit", "tag": "Temp", "hi": 10, "deadband": setting.deadband}
    model = alarmed({"a": {**rule, "on_delay_s": setting.on_delay, "off_delay_s": setting.off_delay}})
    parts = [temp(at, value) for at, value in values.items()]
    parts += [shelve(T0 + begin * S, T0 + end * S, "a", f"s{begin}") for begin, end in shelves]
    run = told(model, log(*parts, end=200 * S, every=10 * S))
    expected = occurrences(values, setting, (), shelves, 200)
    got = [
        Seen((of.started_at - T0) // S, second(of.returned_at), second(of.ended_at), second(of.annunciated_at))
        for of in alerts(run, "limit")
    ]
    assert got == expected


def test_a_flood_of_10_000_alarms_in_a_minute_loses_none() -> None:
    model = alarmed({f"a{n}": {"kind": "limit", "tag": f"T{n}", "hi": 1} for n in range(100)})
    fold, out = LineFold(model, TOPIC, 0), []
    offset = 0
    for second in range(60):
        at = T0 + second * S
        told_at = [
            Sample(f"T{n}", at + step * 100_000, float(step % 2 == 0)) for n in range(100) for step in range(4)
        ] if second < 50 else [Sample("Heartbeat", at, second)]  # fmt: skip
        for record in (Samples("plc", second, tuple(told_at)),):
            out += fold.step(Input(CELL, TOPIC, 0, offset, record))
            offset += 1
        path, now = tick(at + S)
        out += fold.step(Input(path, TOPIC, 0, offset, now))
        offset += 1
    out += fold.step(Input(CELL, TOPIC, 0, offset, tick(T0 + 2 * MINUTE)[1]))
    newest = {of.natural_id: of for of in out if isinstance(of, Alert) and of.kind == "limit"}
    assert len(newest) == 100 * 2 * 50
    assert {of.state for of in newest.values()} == {"cleared"}
    assert {of.status for of in newest.values()} == {"final"}


@pytest.mark.parametrize(
    ("alarm", "words"),
    [("hto", "did you mean 'hot'?"), ("hot.hi", None), ("g", None), ("quality.Volume", None), ("*", None)],
)
def test_a_fact_about_no_alarm_is_not_published(alarm: str, words: str | None) -> None:
    model = alarmed({"hot": {**HIGH, "group": "g"}})
    for path in (CELL, CELL.rpartition("/")[0]):
        refused = Admission(model).whole_refusal(path, shelve(T0, T0 + HOUR, alarm)[1])  # type: ignore[arg-type]
        assert (refused is None) == (words is None)
        assert words is None or words in str(refused)


def test_a_silence_that_ends_ahead_of_the_tick_is_told_once() -> None:
    """Found by torture: the shelf was over before the sample that ends the silence, and after the tick that told of it."""
    parts: list[Told] = [
        samples(T0, State=EXECUTE),
        shelve(T0, T0 + 200 * S, "silent"),
        tick(T0 + 100 * S),
        samples(T0 + 300 * S, Heartbeat=1),
        tick(T0 + 150 * S),
    ]
    later = [tick(T0 + at * S) for at in (210, 250, 290)]
    once = told(alarmed({}), [*parts, *later])
    again = told(alarmed({}), parts)
    again.restart()
    again.feed(later)
    assert again.outputs == once.outputs
    assert alerts(once, "silent")[0].annunciated_at == T0 + 200 * S
