"""Alarm conditions: deadband, delays, latch and rates by worked examples, and beside a brute-force oracle."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from processors.alarms.condition import RESET, SETPOINT, STATE, VALUE, Condition, Event, Occurrence, run
from tests.harness.alarm_oracle import Seen, Setting, occurrences
from topology.model.alarms import Alarm, AlarmRule, alarms_of

S = 1_000_000
RULE: TypeAdapter[Any] = TypeAdapter(AlarmRule)


def alarm(**rule: Any) -> Alarm:
    """The only alarm of a rule."""
    (made,) = alarms_of({"a": RULE.validate_python(rule)}).values()
    return made


def told(of: Alarm, events: list[Event], end_s: int, cuts: tuple[int, ...] = ()) -> list[tuple[float, float | None]]:
    """(begin, return) of each occurrence in seconds; the run is cut at these seconds, and saved there."""
    return [
        (at.started_at / S, None if at.returned_at is None else at.returned_at / S)
        for at in found(of, events, end_s, cuts)
    ]


def found(of: Alarm, events: list[Event], end_s: int, cuts: tuple[int, ...] = ()) -> list[Occurrence]:
    condition, ended, begin = Condition(), [], -10 * S
    for cut in [*sorted(cuts), end_s]:
        part = [event for event in events if begin <= event.at < cut * S]
        ended += [
            change.occurrence for change in run(of, condition, part, cut * S) if change.occurrence.ended_at is not None
        ]
        condition = msgspec.msgpack.decode(msgspec.msgpack.encode(condition), type=Condition)
        begin = cut * S
    once = {occurrence.started_at: occurrence for occurrence in ended}
    return [*once.values(), *([condition.standing] if condition.standing is not None else [])]


def values(*pairs: tuple[float, float]) -> list[Event]:
    return [Event(round(at * S), VALUE, value, n) for n, (at, value) in enumerate(pairs)]


def test_the_published_deadband_example() -> None:
    """proscada.com: HH 100, deadband 5: the alarm comes at 100 and stays until the value is below 95."""
    of = alarm(kind="limit", tag="T", hihi=100, deadband=5)
    assert told(of, values((0, 99.9), (1, 100), (2, 95), (3, 94.9), (4, 99)), 10) == [(1, 3)]


def test_a_low_limit_is_the_mirror() -> None:
    of = alarm(kind="limit", tag="T", lo=10, deadband=2)
    assert told(of, values((0, 11), (1, 10), (2, 12), (3, 12.1)), 10) == [(1, 3)]


def test_delays() -> None:
    of = alarm(kind="limit", tag="T", hi=10, on_delay_s=5, off_delay_s=3)
    short, long = [(0, 11), (4, 9)], [(10, 11), (20, 9), (22, 11), (30, 9)]
    assert told(of, values(*short, *long), 60) == [(15, 33)]
    assert told(of, values((0, 11), (5, 9)), 60) == []  # gone in the very instant in which the delay is over


def test_a_latched_alarm_stays_until_a_reset_that_finds_it_returned() -> None:
    of = alarm(kind="limit", tag="T", hi=10, latch=True)
    heard = [*values((1, 11), (5, 9)), Event(3 * S, RESET), Event(8 * S, RESET)]
    (once,) = found(of, sorted(heard), 60)
    assert (once.started_at, once.returned_at, once.ended_at) == (1 * S, 5 * S, 8 * S)
    (twice,) = found(of, values((1, 11), (5, 9), (6, 12)), 60)
    assert (twice.started_at, twice.returned_at, twice.ended_at) == (1 * S, None, None)


def test_a_deviation_follows_its_set_point() -> None:
    of = alarm(kind="deviation", tag="T", setpoint="SP", limit=5, deadband=1)
    heard = [Event(0, SETPOINT, 20.0), *values((1, 24), (2, 25), (3, 24.5), (6, 30)), Event(5 * S, SETPOINT, 24.5)]
    assert told(of, sorted(heard), 60) == [(2, 5), (6, None)]
    together = sorted([Event(0, SETPOINT, 20.0), *values((1, 20), (2, 40)), Event(2 * S, SETPOINT, 40.0)])
    assert told(of, together, 60) == []  # both in one instant


def test_a_rate_is_taken_over_its_time_and_ends_where_nothing_is_told() -> None:
    of = alarm(kind="rate", tag="T", per_min=6, over_s=10, direction="rise")
    slow, fast = [(n, n * 0.05) for n in range(40)], [(n, 2 + (n - 40) * 0.2) for n in range(40, 80)]
    ((begin, returned),) = told(of, values(*slow, *fast), 200)
    assert 40 < begin <= 50
    assert returned == 79 + 10
    assert told(alarm(kind="rate", tag="T", per_min=6, over_s=10, direction="fall"), values(*slow, *fast), 200) == []


def test_a_state_for_longer_than() -> None:
    of = alarm(kind="state", states=["held", "stopped"], longer_s=60)
    heard = [
        Event(at * S, STATE, state)
        for at, state in (
            (0, "held"),
            (30, "stopped"),
            (50, "execute"),
            (100, "held"),
            (130, "stopped"),
            (190, "execute"),
        )
    ]
    assert told(of, heard, 300) == [(160, 190)]


def test_a_count_in_a_window() -> None:
    of = alarm(kind="count", states=["held"], times=3, window_s=100)
    entered = [(0, "held"), (10, "execute"), (20, "held"), (30, "execute"), (80, "held"), (85, "execute")]
    heard = [Event(-1 * S, STATE, "execute"), *(Event(at * S, STATE, state) for at, state in entered)]
    assert told(of, heard, 300) == [(80, 100)]
    jams = alarm(kind="count", tag="Jam", times=2, window_s=10)
    assert told(jams, values((0, 0), (1, 1), (2, 1), (3, 0), (4, 1)), 60) == [(4, 11)]


def test_a_missing_signal_from_its_first_sample_on() -> None:
    of = alarm(kind="missing", tag="T", after_s=30)
    assert told(of, [], 600) == []
    assert told(of, values((100, 1), (120, 1), (150, 1), (200, 1)), 600) == [(180, 200), (230, None)]


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.integers(0, 80), st.sampled_from([0.0, 7.0, 8.0, 9.0, 10.0, 11.0]), max_size=30),
    st.builds(
        Setting, st.just(10.0), st.sampled_from([0.0, 1.0, 2.0]), st.integers(0, 9), st.integers(0, 9), st.booleans()
    ),
    st.lists(st.integers(0, 99), max_size=4),
    st.lists(st.integers(1, 99), max_size=4),
)
def test_the_same_as_second_by_second(
    samples: dict[int, float], setting: Setting, resets: list[int], cuts: list[int]
) -> None:
    of = alarm(
        kind="limit", tag="T", hi=setting.limit, deadband=setting.deadband,
        on_delay_s=setting.on_delay, off_delay_s=setting.off_delay, latch=setting.latch,
    )  # fmt: skip
    events = sorted(
        [*(Event(at * S, VALUE, value) for at, value in samples.items()), *(Event(at * S, RESET) for at in resets)],
        key=lambda event: event.at,
    )
    expected = [of._replace(told=None) for of in occurrences(samples, setting, resets, (), 100)]
    got = [
        Seen(
            at.started_at // S,
            None if at.returned_at is None else at.returned_at // S,
            None if at.ended_at is None else at.ended_at // S,
            None,
        )
        for at in found(of, events, 100, tuple(cuts))
    ]
    assert got == expected


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "rate", "tag": "T", "per_min": 1, "over_s": 3600},
        {"kind": "count", "tag": "T", "times": 1000, "window_s": 86400},
        {"kind": "limit", "tag": "T", "hi": 0.5, "latch": True},
    ],
    ids=["rate", "count", "limit"],
)
def test_what_is_known_stays_small(rule: dict[str, Any]) -> None:
    condition, of = Condition(), alarm(**rule)
    run(of, condition, values(*((n, n % 2) for n in range(20_000))), 20_000 * S)
    assert len(msgspec.msgpack.encode(condition)) < 10_000
