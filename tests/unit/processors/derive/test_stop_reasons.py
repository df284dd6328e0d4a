"""Operators assign, split, merge and correct a stop's reason; the time counts as the reason says."""

from typing import Any

import pytest

from schemas.records import Downtime, Kpi, Oee, Reason
from tests.harness.line_logs import CELL, EXECUTE, HOUR, MINUTE, STOPPED, T0, Run, S, Told, beats, plant, samples, ticks


def at(minute: float) -> int:
    return T0 + round(minute * MINUTE)


def reason(name: str, code: int, start: float, end: float | None = None, by: str = "ann") -> Told:
    ended_at = None if end is None else at(end)
    return CELL, Reason(id=name, code=code, started_at=at(start), ended_at=ended_at, by=by)


def run(*reasons: Told, label: str = "iso22400@1", stop: tuple[float, float] = (10, 40)) -> Run:
    """An hour with one stop, its reasons told at the end of it."""
    found = Run(plant(label))
    told = [*beats(T0, at(67)), samples(T0, State=EXECUTE), samples(at(stop[0]), State=STOPPED)]
    told += [samples(at(stop[1]), State=EXECUTE), *ticks(T0 + MINUTE, at(62), MINUTE)]
    told.sort(key=lambda item: getattr(item[1], "at", 0) or item[1].samples[0].at)  # type: ignore[union-attr]
    return found.feed(told).feed(reasons).feed(ticks(at(63), at(64), MINUTE))


def parts(found: Run) -> list[tuple[float, float | None, int | None, str | None, str]]:
    return [
        ((r.started_at - T0) / MINUTE, r.ended_at and (r.ended_at - T0) / MINUTE, r.reason_code, r.reason_by, r.kind)
        for r in found.newest("downtime")
        if isinstance(r, Downtime)
    ]


def minutes(found: Run) -> dict[str, float]:
    (hour,) = [r for r in found.newest("oee") if isinstance(r, Oee) and r.started_at == T0 and r.window == "hour"]
    return {name: us / MINUTE for name, us in hour.element_us.items() if us}


def test_a_reason_without_an_end_is_for_the_whole_stop() -> None:
    assert parts(run(reason("r", 201, 25))) == [(10, 40, 201, "ann", "stop")]


def test_a_reason_outside_the_stop_says_nothing_of_it() -> None:
    assert parts(run(reason("r", 201, 45), reason("q", 101, 2, 10))) == [(10, 40, None, None, "stop")]


def test_a_stop_is_split() -> None:
    found = run(reason("a", 101, 10, 20), reason("b", 201, 20, 40, "bob"))
    assert parts(found) == [(10, 20, 101, "ann", "stop"), (20, 40, 201, "bob", "stop")]
    assert {r.stop_started_at for r in found.newest("downtime")} == {at(10)}
    alerts = [(a.started_at, a.ended_at) for a in found.newest("alert") if a.kind == "breakdown"]
    assert alerts == [(at(20), at(40))], "the breakdown is the part that was one"


def test_what_no_reason_covers_has_none() -> None:
    assert parts(run(reason("a", 101, 15, 20))) == [
        (10, 15, None, None, "stop"),
        (15, 20, 101, "ann", "stop"),
        (20, 40, None, None, "stop"),
    ]


def test_two_reasons_that_overlap() -> None:
    found = run(reason("a", 101, 5, 30), reason("b", 201, 20, 50))
    assert parts(found) == [(10, 20, 101, "ann", "stop"), (20, 40, 201, "ann", "stop")]
    inside = run(reason("whole", 201, 12), reason("a", 101, 15, 20))
    assert [part[:3] for part in parts(inside)] == [(10, 15, 201), (15, 20, 101), (20, 40, 201)]
    same = run(reason("a", 101, 10, 40), reason("b", 201, 10, 40))
    assert [part[:3] for part in parts(same)] == [(10, 40, 201)], "the greater id, whichever came first"
    assert parts(run(reason("b", 201, 10, 40), reason("a", 101, 10, 40))) == parts(same)


def test_parts_are_merged_and_a_reason_is_taken_away() -> None:
    split = [reason("a", 101, 10, 20), reason("b", 201, 20, 40)]
    assert parts(run(*split, reason("a", 201, 10, 20))) == [(10, 40, 201, "ann", "stop")]
    assert parts(run(*split, reason("a", 0, 10, 20), reason("b", 0, 20, 40))) == [(10, 40, None, None, "stop")]
    moved = run(*split, reason("a", 101, 10, 15), reason("b", 201, 15, 40))
    assert [part[:3] for part in parts(moved)] == [(10, 15, 101), (15, 40, 201)]


def test_a_reason_corrects_the_windows_it_touches_and_only_them() -> None:
    found = run(label="nakajima@1")
    assert minutes(found) == {"RUN": 30, "BREAKDOWN": 30}
    before = len(found.records)
    found.feed([reason("late", 101, 10, 25), *ticks(at(65), at(66), MINUTE)])
    assert minutes(found) == {"RUN": 30, "MINOR": 15, "BREAKDOWN": 15}
    hours = [r for r in found.records[before:] if isinstance(r, Oee | Kpi) and r.window == "hour" and r.ended_at]
    assert {(r.started_at, r.status) for r in hours} == {(T0, "corrected")}


@pytest.mark.parametrize(
    ("length_min", "said", "expected"),
    [
        (4.9, None, {"RUN": 55.1, "MINOR": 4.9}),
        (5.0, None, {"RUN": 55, "BREAKDOWN": 5}),
        (4.9, 201, {"RUN": 55.1, "BREAKDOWN": 4.9}),
    ],
)
def test_a_micro_stop_is_a_performance_loss(length_min: float, said: int | None, expected: dict[str, float]) -> None:
    told = [reason("r", said, 10)] if said is not None else []
    found = run(*told, label="nakajima@1", stop=(10, 10 + length_min))
    assert minutes(found) == pytest.approx(expected)
    (stop,) = found.newest("downtime")
    assert stop.kind == ("micro_stop" if length_min < 5 else "stop")


def test_noise_counts_as_what_was_before_it() -> None:
    found = Run(plant("acme@1"))  # stops up to 10 s, runs up to 5 s
    changes: list[tuple[float, int]] = [(0, EXECUTE), (600, STOPPED), (610, EXECUTE), (1200, STOPPED), (1211, EXECUTE)]
    changes += [(1800, STOPPED), (2100, EXECUTE), (2104, STOPPED), (2400, EXECUTE)]
    told: list[Any] = [*beats(T0, at(67)), *(samples(T0 + round(s * S), State=code) for s, code in changes)]
    told += ticks(T0 + MINUTE, T0 + HOUR + 2 * MINUTE, MINUTE)
    told.sort(key=lambda item: getattr(item[1], "at", 0) or item[1].samples[0].at)
    found.feed(told)
    stops = [((r.started_at - T0) / S, (r.ended_at - T0) / S, r.kind) for r in found.newest("downtime")]
    assert stops == [(1200, 1211, "micro_stop"), (1800, 2400, "stop")]
    (hour,) = [r for r in found.newest("oee") if r.started_at == T0]
    seconds = {name: us / S for name, us in hour.element_us.items() if us}
    assert seconds == {"RUN": 3600 - 11 - 600, "SHORT": 11, "DOWN": 600}
    assert len(found.newest("state")) == 9, "states are told as they were"
