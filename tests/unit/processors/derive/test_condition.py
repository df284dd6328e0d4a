"""Condition records out of the fold: wear with its remaining life, use, creep, repair; restarted anywhere they are the same."""

import random
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from schemas.records import Condition, WorkOrder
from tests.harness.line_logs import CELL, EXECUTE, HOUR, MINUTE, STOPPED, T0, Run, S, Told, ordered, samples, ticks
from tests.harness.line_logs import plant as two_cells
from topology.model.plant import Plant

BEARING: dict[str, Any] = {
    "kind": "wear",
    "tag": "Vibration",
    "limit": 7.1,
    "zones": "iso20816-3/2-flexible",
    "every_s": 600,
    "baseline": 12,
    "hint": "worn drive-end bearing",
}


def plant(**conditions: dict[str, Any]) -> Plant:
    """The harness's plant with rules of condition, and a tag that only they read."""
    model = two_cells().model_dump(mode="json")
    model["types"]["filler"]["tags"]["Vibration"] = {"role": "feature", "unit": "mm/s"}
    model["types"]["filler"]["conditions"] = {name.replace("_", "-"): rule for name, rule in conditions.items()}
    return Plant.model_validate(model)


def vibration(hours: float, wears_from_h: float, by_h: float = 0.5, state: int = EXECUTE) -> list[Told]:
    """A sample each two minutes: 2 mm/s, and from some hour on more and more."""
    chance = random.Random(11)
    return [
        samples(
            T0 + n * 2 * MINUTE,
            State=state,
            Vibration=round(2 + max(0.0, n / 30 - wears_from_h) * by_h + chance.gauss(0, 0.1), 4),
        )
        for n in range(int(hours * 30))
    ]


def fold(model: Plant, told: Iterable[Told], hours: float, restart_every: int = 0) -> Run:
    """Ticks each five minutes."""
    run, log = Run(model), ordered([*told, *ticks(T0, T0 + round(hours * HOUR), 5 * MINUTE)])
    for n in range(0, len(log), restart_every or len(log)):
        run.feed(log[n : n + (restart_every or len(log))])
        if restart_every:
            run.restart(random.Random(n))
    return run


def conditions(run: Run, name: str) -> list[Condition]:
    """All revisions."""
    return [record for record in run.records if isinstance(record, Condition) and record.name == name]


@pytest.fixture(scope="module")
def worn() -> Run:
    return fold(plant(bearing=BEARING), vibration(14, wears_from_h=4), 14)


def test_wear_is_announced_before_it_fails_and_revised(worn: Run) -> None:
    """It comes to 7.1 at hour 4 + 5.1/0.5 = 14.2."""
    told = conditions(worn, "bearing")
    assert len({record.natural_id for record in told}) == 1, "one cause, one record"
    assert [record.revision for record in told] == list(range(len(told)))
    assert len(told) < 40
    first = told[0]
    assert first.evidence_to is not None
    assert first.evidence_to < T0 + 7 * HOUR
    assert T0 + 3.5 * HOUR < first.started_at < T0 + 5 * HOUR
    assert first.baseline == pytest.approx(2.0, abs=0.05)
    assert first.ended_at is None
    assert first.state == "raised"
    sure = [r for r in told if r.fails_from is not None and r.points is not None and r.points >= 24]
    ends = T0 + 14.2 * HOUR
    assert sure
    assert all(r.fails_from is not None and r.fails_from < ends + 30 * MINUTE for r in sure)
    assert all(r.fails_to is None or r.fails_to > ends - 30 * MINUTE for r in sure)
    assert all(r.act_by == r.fails_from - 48 * HOUR for r in sure if r.fails_from is not None)
    assert told[-1].zone in ("C", "D")
    assert told[-1].severity == "high"
    assert "worn drive-end bearing" in told[-1].message
    assert "limit of 7.1" in told[-1].message


def test_restarted_anywhere_it_says_the_same(worn: Run) -> None:
    again = fold(plant(bearing=BEARING), vibration(14, wears_from_h=4), 14, restart_every=61)
    assert again.outputs == worn.outputs
    worn.save()
    assert {key: value for key, value in again.store.items() if "|of|condition" in key} == {
        key: value for key, value in worn.store.items() if "|of|condition" in key
    }


def test_a_quiet_machine_says_nothing_and_a_stopped_one_does_not_count() -> None:
    assert conditions(fold(plant(bearing=BEARING), vibration(8, wears_from_h=99), 8), "bearing") == []
    stopped = vibration(8, wears_from_h=3, by_h=3, state=STOPPED)
    assert conditions(fold(plant(bearing=BEARING), stopped, 8), "bearing") == []


def test_a_repair_ends_it_and_it_learns_anew(worn: Run) -> None:
    about = conditions(worn, "bearing")[-1].natural_id
    done = WorkOrder(id="WO-1", status="done", started_at=T0 + 11 * HOUR, ended_at=T0 + 12 * HOUR, about=about)
    log = [item for item in vibration(12, wears_from_h=4) if _at(item) < T0 + 12 * HOUR]
    healthy = [(path, _later(record, 12 * HOUR)) for path, record in vibration(5, wears_from_h=99)]
    run = fold(plant(bearing=BEARING), [*log, (CELL, done), *healthy], 17)
    told = conditions(run, "bearing")
    assert [record.state for record in told].count("cleared") == 1
    assert told[-1].state == "cleared"
    assert told[-1].status == "final"
    assert told[-1].ended_at == T0 + 12 * HOUR


def _at(item: Told) -> int:
    return int(item[1].samples[0].at)  # type: ignore[union-attr]


def _later(record: Any, by: int) -> Any:
    moved = tuple(msgspec.structs.replace(sample, at=sample.at + by) for sample in record.samples)
    return msgspec.structs.replace(record, samples=moved)


def test_maintenance_by_use_is_said_and_begins_anew_once_done() -> None:
    model = plant(
        oil={"kind": "use", "counts": "hours", "every": 2, "work": "change oil"},
        belt={"kind": "use", "counts": "cycles", "every": 100},
        clutch={"kind": "use", "counts": "starts", "every": 3},
    )
    log = [samples(T0 + n * MINUTE, State=EXECUTE if n % 60 < 50 else STOPPED, Good=n % 1000) for n in range(6 * 60)]
    run = fold(model, log, 6)
    oil, belt, clutch = (conditions(run, name) for name in ("oil", "belt", "clutch"))
    assert [record.severity for record in oil[:2]] == ["medium", "high"]
    assert oil[0].value == pytest.approx(1.8, abs=0.1)
    assert belt[0].value is not None
    assert 90 <= belt[0].value <= 96
    assert clutch[0].value == 3
    assert clutch[0].severity == "high"
    assert "change oil is due" in oil[-1].message
    done = WorkOrder(id="W", status="Done", started_at=T0 + 5 * HOUR, about=oil[0].natural_id)
    again = conditions(fold(model, [*log, (CELL, done)], 6), "oil")
    assert again[-1].state == "cleared"
    assert again[-1].ended_at == T0 + 5 * HOUR


def test_a_cycle_time_that_creeps() -> None:
    """From hour 8 on each cycle takes a tenth longer."""
    at, log, made = T0, [], 0
    while at < T0 + 20 * HOUR:
        log.append(samples(at, State=EXECUTE, Good=made % 1000))
        at += 30 * S if at < T0 + 8 * HOUR else 33 * S
        made += 5
    model = plant(slow={"kind": "wear", "of": "cycle", "change": 0.05, "baseline": 6, "hint": "air leak"})
    told = conditions(fold(model, log, 20), "slow")
    assert told
    assert told[0].kind == "creep"
    assert told[-1].value == pytest.approx(1.1, abs=0.01)
    assert told[-1].baseline == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (BEARING | {"tag": "Vibraton"}, "did you mean"),
        ({"kind": "wear", "tag": "Vibration"}, "nothing would ever be said"),
        (BEARING | {"of": "cycle"}, "either a tag or"),
        (BEARING | {"zones": "iso9"}, "are not known"),
        (BEARING | {"zones": [3, 2, 4]}, "do not rise"),
        (BEARING | {"rises": False}, "values that rise"),
        (BEARING | {"baseline": 0, "change": 0.25}, "learns none"),
        ({"kind": "use", "counts": "hours", "every": 0}, "greater than 0"),
    ],
)
def test_rules_that_say_nothing_are_refused(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        plant(bearing=rule)
