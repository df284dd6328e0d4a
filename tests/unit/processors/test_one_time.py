"""Samples of one time through the whole fold: the source's own order decides, whatever comes first, after any restart."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Current, Quality, Sample, Samples, Value
from tests.harness.line_logs import CELL, MINUTE, T0, Run, S, Told, beats, final_numbers, plant, samples, tick
from topology.model.plant import Plant

few = settings(max_examples=8)


def model() -> Plant:
    """The filler, whose scrap comes as increments."""
    of_plant = plant().model_dump()
    of_plant["types"]["filler"]["tags"]["Scrap"] = {"role": "scrap_count", "counts": "increments"}
    return Plant.model_validate(of_plant)


def scene(chance: random.Random) -> list[Told]:
    """Records of two sources whose clocks have a resolution of ten minutes."""
    told: list[Told] = []
    good = 0
    for sequence in range(1, 60):
        at = T0 + sequence // 6 * 10 * MINUTE
        good = chance.choice((good + chance.randrange(4), good + 1, 0))
        values: dict[str, Value] = {
            "State": chance.choice((6, 2, 11)),
            "Mode": chance.choice((1, 4)),
            "Good": good,
            "Scrap": chance.randrange(3),
            "Energy": sequence / 10,
            "StopReason": chance.choice((0, 101, 201)),
            "FillVolume": chance.choice((499.0, 500.0, 501.0)),
            "Text": chance.choice("abc"),
        }
        tags = [*chance.sample(sorted(values), 4), *chance.sample(sorted(values), 2)]
        source = chance.choice(("plc", "plc", "gateway"))
        told.append((CELL, Samples(source, sequence, tuple(Sample(tag, at, values[tag]) for tag in tags))))
    return told


def played(told: list[Told], chance: random.Random | None = None) -> Run:
    """In order and with no restart, or shuffled within the horizon, some records twice, and with restarts."""
    run = Run(model())
    run.feed([*beats(T0, T0 + 120 * MINUTE), tick(T0 + MINUTE)])
    if chance is not None:
        told = [*told, *chance.sample(told, 10)]
        chance.shuffle(told)
    for n, record in enumerate(told):
        run.feed([record])
        if chance is not None and chance.random() < 0.1:
            run.restart(chance)
        if chance is not None and chance.random() < 0.2:
            run.feed([tick(T0 + MINUTE + n * S)])
    return run.feed(tick(T0 + n * 10 * MINUTE) for n in range(1, 14))


@few
@given(st.integers(0, 2**32))
def test_the_numbers_follow_from_the_set(seed: int) -> None:
    chance = random.Random(seed)
    told = scene(chance)
    in_order, mixed = played(told), played(told, chance)

    def compared(run: Run) -> dict[str, tuple[object, ...]]:
        """A point behind the watermark moves no chart, and of it the rivals are forgotten."""
        said = final_numbers(run)
        return {name: said[name] for name in said if "#alert" not in name and "#quality" not in name}

    assert compared(mixed) == compared(in_order)
    shown = [next(r for r in reversed(run.records) if isinstance(r, Current)).tags for run in (in_order, mixed)]
    assert shown[0] == shown[1]


def test_the_source_decides_for_every_kind_of_tag() -> None:
    """Of two values of a second each the first is the greater: by the rule for two sources it would count."""
    at = T0 + MINUTE
    said: list[dict[str, Value]] = [
        {"State": 6, "Good": 0, "Energy": 1.0, "FillVolume": 500.0},
        {"State": 11, "Good": 9, "StopReason": 201, "Energy": 5.0, "FillVolume": 505.0, "Scrap": 3},
        {"State": 2, "Good": 7, "StopReason": 101, "Energy": 3.0, "FillVolume": 495.0, "Scrap": 2},
    ]
    told = [
        (CELL, Samples("plc", n, tuple(Sample(tag, max(at * min(n, 1), T0), v) for tag, v in values.items())))
        for n, values in enumerate(said)
    ]
    later = samples(at + MINUTE, State=6)
    for records in ([*told, later], [told[0], told[2], told[1], told[2], later]):
        run = Run(model()).feed([*beats(T0, T0 + 70 * MINUTE), *records])
        run.feed(tick(T0 + n * 10 * MINUTE) for n in range(1, 8))
        (stop,) = run.newest("downtime")
        assert (stop.state, stop.reason_code) == ("stopped", 101)
        hour = next(r for r in run.newest("kpi") if r.window == "hour")
        assert (hour.pieces[0].good, hour.pieces[0].scrap, hour.quantities["E"]) == (7, 5, 2.0)
        assert [point.value for point in run.newest("quality")] == [500.0, 495.0]
        shown = next(r for r in reversed(run.records) if isinstance(r, Current))
        assert {tag.tag: tag.value for tag in shown.tags}["Scrap"] == 2


def test_a_measured_value_behind_the_watermark_is_corrected_by_what_its_source_said_last() -> None:
    records = [(CELL, Samples("plc", n, (Sample("FillVolume", T0, value),))) for n, value in ((1, 9.0), (2, 5.0))]
    for first, second, values in ((0, 1, [9.0, 5.0]), (1, 0, [5.0])):
        run = Run().feed([records[first], tick(T0 + MINUTE), records[second], tick(T0 + 2 * MINUTE)])
        assert [r.value for r in run.records if isinstance(r, Quality)] == values
