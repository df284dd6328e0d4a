"""The plant of `make bench-plant`: what its machines say, what must follow, how the largest plant is looked for, and what the page says."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.plant import checks, cost, machines, model
from bench.plant.__main__ import search
from bench.plant.machines import Told
from bench.plant.trial import Trial
from connectors.kit.payloads import Told as Read
from connectors.kit.payloads import told
from connectors.mqtt.config import MqttConfig
from processors.base import Input
from processors.line import LineFold
from schemas.records import Production, Sample, Samples, State, Tick
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.model.plant import load_plant

BEGIN_MS = 1_795_413_600_000
S = 1_000_000
SECONDS = st.integers(1, 400)
NUMBERS = st.integers(0, 5_000)


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    model.write(tmp_path, 3, 1, "mqtt://127.0.0.1:1883", "postgresql://127.0.0.1/bench")
    return load_plant(tmp_path)


@given(NUMBERS, SECONDS)
def test_pieces_are_counted_one_each_two_seconds_of_running(number: int, seconds: int) -> None:
    """The closed form against counting."""
    ran = sum(machines.values(number, second)["State"] == machines.EXECUTE for second in range(seconds))
    assert machines.good(number, seconds - 1) == ran // 2
    states = [machines.values(number, second)["State"] for second in range(seconds)]
    held = [state == machines.HELD for state, _ in itertools.groupby(states)]
    assert machines.stops(number, seconds) == sum(held)


@given(st.integers(1, 8), st.integers(1, 30))
def test_the_truth_is_the_sum_of_what_is_said(count: int, seconds: int) -> None:
    found = {(path, tag): told for path, tag, told in machines.truth(BEGIN_MS, count, seconds)}
    assert sum(told.number for told in found.values()) == machines.samples(count, seconds)
    weight = found.get((machines.path(0), "T01"))
    said = [machines.values(0, second)["T01"] for second in range(seconds)]
    times = [machines.at_ms(BEGIN_MS, count, 0, second) * 1000 for second in range(seconds)]
    assert weight == Told(seconds, sum(said), sum(times))


@given(NUMBERS, st.integers(0, 100_000))
def test_sums_of_values_are_exact_in_any_order(number: int, second: int) -> None:
    assert all(value * 64 == int(value * 64) for value in machines.values(number, second).values())


def test_the_connector_reads_what_a_machine_says(plant: Plant) -> None:
    config = MqttConfig.model_validate(plant.connectors[model.CONNECTOR].config)
    (subscription,) = config.subscriptions
    parts = subscription.pattern.match(machines.topic(2))
    assert parts is not None
    assert str(subscription.path_of(machines.topic(2), parts)) == machines.path(2)
    read = list(told(subscription, None, machines.message(BEGIN_MS, machines.values(2, 7)), 100_000))
    assert {one.tag: one.value for one in read if isinstance(one, Read)} == machines.values(2, 7)
    assert {one.at for one in read if isinstance(one, Read)} == {BEGIN_MS * 1000}


def _said(second: int) -> list[tuple[str, Samples]]:
    """As the connector writes it, of three machines."""
    found = []
    for number in range(3):
        at = machines.at_ms(BEGIN_MS, 3, number, second) * 1000
        said = tuple(Sample(tag, at, value) for tag, value in machines.values(number, second).items())
        found.append((machines.path(number), Samples("plc", second + 1, said)))
    return found


@pytest.mark.parametrize("seconds", [45, 61, 130])
def test_the_fold_tells_what_was_made_and_how_often_it_was_held(plant: Plant, seconds: int) -> None:
    """What the bench asks of a whole plant, of the fold alone; and a piece too few is seen. After 61 s a stop begins with the
    last word of the first machine: before it has been silent for long it is held, and after that nobody knows."""
    raw = topic(Place.parse(machines.AREA), MessageClass.RAW)
    fold, offsets = LineFold(plant, raw, 0), itertools.count()
    newest: dict[str, Production | State] = {}
    for second in range(seconds + 100):
        at = BEGIN_MS * 1000 + second * S
        told_now: list[tuple[str, Samples | Tick]] = [
            (path, record) for path, record in _said(second) if second < seconds
        ]
        for path, record in [*told_now, (machines.AREA, Tick(at=at + S, worker="test"))]:
            for output in fold.step(Input(path, raw, 0, next(offsets), record)):
                if isinstance(output, Production | State):
                    newest[output.natural_id] = output
    made = {machines.path(number): machines.made(number, seconds) for number in range(3)}
    stops = {machines.path(number): machines.stops(number, seconds - 1) for number in range(3)}
    last = {machines.path(number): machines.at_ms(BEGIN_MS, 3, number, seconds - 1) * 1000 for number in range(3)}
    assert checks.differences(newest.values(), made, stops, last) == []
    first = machines.path(0)
    assert checks.differences(newest.values(), made | {first: made[first] + 1}, stops, last) == [
        f"{first}: {made[first]} good pieces told, {made[first] + 1} made"
    ]


TRIAL = Trial(0, 120, 0.0, {"connector": 1.0}, {"state": {"p99_s": 0.5}}, 0.0, [], {}, {}, 0.0, 0.0)


@pytest.mark.parametrize("true", [10, 95, 250, 1_130, 9_999, 40_000], ids=str)
def test_the_largest_plant_is_found(true: int) -> None:
    asked: list[int] = []

    def attempt(count: int) -> Trial:
        asked.append(count)
        return replace(TRIAL, machines=count, behind_s={"connector": 1.0 if count <= true else 9.0})

    trials = search(attempt, 250, 16_000)
    good = max((one.machines for one in trials if one.holds), default=0)
    assert good <= true
    assert good >= min(true, 16_000) / 1.4 or true < 20
    assert len(asked) == len(set(asked)) <= 12


@pytest.mark.parametrize(
    "change",
    [{"problems": ["1 sample is missing"]}, {"behind_s": {"page": 5.1}}, {"delays": {"state": {"p99_s": 1.01}}}, {"delays": {}}, {"behind_s": {}}],
    ids=["untrue", "behind", "late", "nothing-told", "never-looked"],
)  # fmt: skip
def test_a_plant_that_is_fast_and_wrong_does_not_hold(change: dict[str, object]) -> None:
    assert TRIAL.holds
    assert not replace(TRIAL, **change).holds  # type: ignore[arg-type]


def _document(*machines_: int, **change: object) -> dict[str, object]:
    """Of a plant whose every component takes 0.1 cores and 50 MB at rest, 20 µs a sample and 3 kB a tag."""
    trials = []
    for count in machines_:
        rate = count * machines.SAMPLES_S
        part = {
            "cores": 0.1 + 20e-6 * rate,
            "us_sample": 20 + 0.1e6 / rate,
            "memory_mb": 50 + 0.003 * count * cost.TAGS,
        }
        trials.append(
            {"machines": count, "seconds": 60, "samples_s": rate, "p99_s": 0.5, "load": 1.0, "idle_cores": 0.5, "holds": True}
            | {"problems": [], "behind_s": {"connector": 0.5}, "bytes": {"Kafka raw": 10.0}, "parts": dict.fromkeys(cost.ORDER, part)}
            | change
        )  # fmt: skip
    return {"trials": trials}


def test_the_model_is_the_line_through_what_was_measured() -> None:
    measured = cost.taken(_document(50, 100, 200))
    for each in cost.model(measured).values():
        assert each == pytest.approx((0.1, 20.0, 50.0, 3.0), abs=1e-3)
    assert cost.cores(measured, 1_000) == pytest.approx(9 * (0.1 + 0.02))
    assert cost.cores(measured, cost.carried(measured, 2.0)) == pytest.approx(2.0)
    assert cost.bound(measured)[1] == pytest.approx(45_000, rel=1e-3)


def test_runs_are_taken_together() -> None:
    apart: list[dict[str, object]] = [_document(50), _document(200) | {"peer": {"failed": "no Go"}}, {"replay": {}}]
    measured = cost.taken(cost.together(apart))
    assert cost.model(measured) == cost.model(cost.taken(_document(50, 200)))
    assert measured["peer"] == {"failed": "no Go"}


def test_a_queue_that_is_worked_off_is_shown_and_is_no_measure() -> None:
    nothing = {"cores": 0.0, "us_sample": 0.0, "memory_mb": 0.0}
    behind = _document(400, behind_s={"connector": 30.0}, parts=dict.fromkeys(cost.ORDER, nothing))
    measured = cost.taken(cost.together([_document(50, 100), behind]))
    assert [one["fitted"] for one in measured["trials"]] == [True, True, False]
    assert cost.model(measured) == cost.model(cost.taken(_document(50, 100)))


def test_of_one_trial_all_is_by_the_sample() -> None:
    measured = cost.taken(_document(100))
    assert all(each.rest_cores == 0 and each.us_sample > 20 for each in cost.model(measured).values())


def test_what_came_out_wrong_has_no_cost() -> None:
    with pytest.raises(ValueError, match="no trial"):
        cost.taken(_document(100, problems=["1 sample is missing"]))


def test_the_page_of_scale_says_what_was_measured() -> None:
    """`python -m bench.plant.cost --write` makes it so."""
    text, measured = cost.PAGE.read_text(encoding="utf-8"), json.loads(cost.MEASURED.read_text(encoding="utf-8"))
    assert cost.page(text, measured) == text
