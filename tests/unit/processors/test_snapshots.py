"""When a snapshot is published: with what has changed, at most every current_s, and every provisional_s in any case."""

import random
from collections.abc import Iterable
from itertools import pairwise

import pytest

from processors.base import Input
from processors.cell_fold import TAGS_AT_ONCE
from schemas.records import Current, Derived, Sample, Samples
from tests.harness.line_logs import CELL, EXECUTE, HELD, MINUTE, T0, TOPIC, Run, S, Told, plant, samples, tick
from tests.harness.restarts import difference
from topology.model.plant import Plant


def model(current_s: float, provisional_s: float = 60.0) -> Plant:
    return plant(current_s=current_s, provisional_s=provisional_s)


def shown(said: Iterable[Derived], since: int = T0) -> list[Current]:
    return [record for record in said if isinstance(record, Current) and record.path == CELL and record.at >= since]


def busy(seconds: int) -> list[Told]:
    """A machine that says something each second, and a tick after it."""
    told: list[Told] = []
    for n in range(seconds):
        state = EXECUTE if n // 7 % 2 else HELD
        told += [samples(T0 + n * S, State=state, Good=n), tick(T0 + n * S)]
    return told


def said_of(told: Iterable[Told], current_s: float, provisional_s: float = 60.0) -> list[Derived]:
    return Run(model(current_s, provisional_s)).feed(told).records


@pytest.mark.parametrize(("current_s", "every"), [(0, 1), (1, 1), (1.5, 2), (2, 2), (5, 5)])
def test_at_most_every_current_s(current_s: float, every: int) -> None:
    times = [record.at for record in shown(said_of(busy(50), current_s))]
    assert {later - earlier for earlier, later in pairwise(times)} == {every * S}


def test_all_other_records_are_the_same() -> None:
    each, some, none = (
        [record for record in said_of(busy(200), current_s) if not isinstance(record, Current)]
        for current_s in (0, 1.5, 3600)
    )
    assert each == some == none


def test_what_comes_too_soon_is_shown_later_though_nothing_comes_then() -> None:
    told = [samples(T0, State=EXECUTE, Good=1), tick(T0), samples(T0 + S // 2, State=HELD, Good=4)]
    told += [tick(T0 + n * S) for n in range(1, 30)]
    records = shown(said_of(told, 5))
    assert [(record.at - T0) // S for record in records][:2] == [0, 5]
    assert (records[1].state, records[1].good) == ("held", 3)
    assert records[1].tags[0].value == 4


def test_a_late_sample_after_such_a_snapshot_counts_as_ever() -> None:
    told = [samples(T0, State=EXECUTE, Good=1), tick(T0), samples(T0 + S, Good=4), tick(T0 + S)]
    told += [tick(T0 + n * S) for n in range(2, 6)]  # shown at the last, up to then
    told += [samples(T0 + 3 * S, State=HELD), tick(T0 + 6 * S), *(tick(T0 + n * MINUTE) for n in range(1, 90))]
    each, some = (
        [record for record in said_of(told, current_s) if not isinstance(record, Current)] for current_s in (0, 4)
    )
    assert len(shown(said_of(told[:-90], 4))) == 2
    assert each == some


def test_a_machine_that_says_nothing_is_shown_every_provisional_s() -> None:
    told = [samples(T0, State=EXECUTE), *(tick(T0 + n * S) for n in range(300))]
    times = [
        (record.at - T0) // S for record in shown(said_of(told, 1.5, 30.0), T0 + 120 * S)
    ]  # its silence is said, too
    assert times == [120, 150, 180, 210, 240, 270]


def test_one_of_many_tags_is_shown_less_often_but_not_later_where_a_record_follows() -> None:
    many = tuple(Sample(f"t{n}", T0, 0, 0) for n in range(3 * TAGS_AT_ONCE))
    told: list[Told] = [samples(T0, State=EXECUTE), (CELL, Samples("plc", 1, many)), tick(T0)]
    for n in range(1, 30):
        told += [(CELL, Samples("plc", n + 1, (Sample("t0", T0 + n * S, n, 0),))), tick(T0 + n * S)]
    told += [samples(T0 + 29 * S + 1, State=HELD), tick(T0 + 30 * S)]
    times = [(record.at - T0) // S for record in shown(said_of(told, 2))]
    assert times[:4] == [0, 2, 10, 18]  # its first state is a record
    assert times[-1] == 30


def test_a_restored_fold_goes_on_alike() -> None:
    chance = random.Random(3)
    log: list[Input] = []
    for path, record in busy(60):
        if chance.random() < 0.7:
            log.append(Input(path, TOPIC, 0, len(log), record))
    for current_s in (1.5, 7):
        assert difference(model(current_s), log, 1) is None
