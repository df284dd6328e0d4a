"""What must hold for any life of a line: results depend on what happened, not on how it was told."""

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from processors.base import Rejection
from processors.inputs.counters import Counter, judge
from processors.inputs.glitches import Rate, Scanner
from processors.inputs.series import Series
from schemas.codec import Codec
from schemas.records import TYPES, Derived, Kpi, Oee, Order, Production, Sample, Shift, State, Value
from tests.harness.line_logs import BAD, CELL, MINUTE, OTHER, T0, Run, S, final_numbers, plant, samples, tick, ticks
from tests.harness.line_scenarios import all_samples, delayed, scenario
from tests.harness.scanned import scan
from topology.namespace.packml import CODE_MAPS

some = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a seed does not shrink
)
seeds = st.integers(0, 2**32).map(random.Random)


def pieces_of(readings: list[tuple[int, int]], modulus: int | None) -> int:
    """The pieces of a whole history, read once from its begin to its end."""
    rate = Rate(lambda _at: 6 * S)
    glitches, _ = scan(Scanner(rate), readings)
    counter = Counter("", Series(), "good", modulus, rate)
    pieces, previous, since = 0, None, 0
    for at, value in readings:
        if any(run.start <= at < run.end for run in glitches):
            continue
        if previous is not None and value != previous:
            pieces += judge(counter, previous, value, at - since, at).pieces
        if value != previous:
            previous, since = value, at
    return pieces


def encoded(outputs: list[Derived | Rejection]) -> bytes:
    return msgspec.json.encode(
        [o if isinstance(o, Derived) else {"reason": o.reason, "message": o.message, "tag": o.tag} for o in outputs]
    )


def whole(sample: Sample) -> int:
    assert isinstance(sample.value, int)
    return sample.value


@some
@given(seeds)
def test_elements_of_every_window_sum_to_its_length(chance: random.Random) -> None:
    run = Run().feed(scenario(chance).punctual())
    closed = [r for r in run.records if isinstance(r, Oee) and r.ended_at is not None and r.ended_at != r.started_at]
    assert closed
    for record in closed:
        assert record.ended_at is not None
        assert sum(record.element_us.values()) == record.ended_at - record.started_at
    hours = [r for r in run.newest("oee") if r.window == "hour" and r.ended_at is not None]
    assert hours
    assert all(r.status != "provisional" for r in hours)


@some
@given(seeds)
def test_oee_is_the_product_of_its_factors(chance: random.Random) -> None:
    scene = scenario(chance)
    scene.told = [told for told in scene.told if not isinstance(told[1], Order)]  # one ideal cycle in every window
    records = Run().feed(scene.punctual()).records
    # Pieces made while nobody saw the machine stand against no time: with them in a window it is no product.
    unseen = {(r.window, r.started_at) for r in records if isinstance(r, Kpi) and any(made.unseen for made in r.pieces)}
    whole = [
        r
        for r in records
        if isinstance(r, Oee)
        and None not in (r.availability, r.performance, r.quality)
        and (r.window, r.started_at) not in unseen
    ]
    assert whole
    for record in whole:
        product = record.availability * record.performance * record.quality  # type: ignore[operator]
        assert record.oee == pytest.approx(product, rel=1e-12, abs=1e-12)


@pytest.mark.long
@some
@given(seeds)
def test_delay_within_lateness_repetition_and_splitting_change_nothing(chance: random.Random) -> None:
    scene = scenario(chance)
    punctual = final_numbers(Run().feed(scene.punctual()))
    assert final_numbers(Run().feed(delayed(chance, scene, 9 * S))) == punctual


@pytest.mark.long
@some
@given(seeds, st.sampled_from([3 * MINUTE, 40 * MINUTE, 600 * MINUTE]))
def test_delay_within_the_horizon_ends_in_the_same_numbers(chance: random.Random, most: int) -> None:
    same_numbers_after_a_delay(chance, most)


def test_the_order_of_a_stop_that_was_cut_back_before_that_order_began() -> None:
    """Seen open until after an order's begin, then over before it: it has not interrupted that order."""
    same_numbers_after_a_delay(random.Random(7427), 3 * MINUTE)


def same_numbers_after_a_delay(chance: random.Random, most: int) -> None:
    scene = scenario(chance)
    late = delayed(chance, scene, most)
    last = max(T0 + 20 * 60 * MINUTE, scene.end)
    runs = [
        Run().feed([*told, *ticks(scene.end, last, 20 * MINUTE), tick(last + MINUTE)])
        for told in (scene.punctual(), late)
    ]

    def compared(run: Run) -> dict[str, tuple[object, ...]]:
        """Control charts are made in order of arrival once the watermark has passed, and say so."""
        return {k: v for k, v in final_numbers(run).items() if "quality." not in k}

    assert compared(runs[0]) == compared(runs[1])


@pytest.mark.long
@some
@given(seeds, st.integers(1, 6))
def test_restored_fold_goes_on_byte_for_byte(chance: random.Random, cuts: int) -> None:
    told = delayed(chance, scenario(chance), 10 * MINUTE)
    whole = Run().feed(told)
    run = Run()
    marks = sorted(chance.randrange(len(told)) for _ in range(cuts))
    for n, item in enumerate(told):
        run.feed([item])
        if chance.random() < 0.02:
            run.save()
        if n in marks:
            run.restart(chance)
    assert encoded(run.outputs) == encoded(whole.outputs)


@pytest.mark.long
@some
@given(seeds, st.sampled_from([3, 48]))
def test_restored_fold_goes_on_over_packed_hours_that_late_samples_open_again(
    chance: random.Random, horizon_h: int
) -> None:
    """Hours are packed, opened by late samples and let go, between saves as rare as a busy worker's."""
    told = [samples(T0, State=6, Good=0)]
    for minute in range(2, 6 * 60, 2):
        at = T0 + minute * MINUTE
        told.append(
            samples(at, State=chance.choice((6, 2, 9)), Good=chance.randrange(1000), FillVolume=chance.gauss(0, 9))
        )
        if chance.random() < 0.3:
            late = at - chance.randrange(5 * 60 * MINUTE)
            told.append(samples(late, State=2, Good=chance.randrange(1000), FillVolume=chance.gauss(0, 9)))
        told.append(tick(at + MINUTE))
    model = plant(horizon_h=horizon_h)
    whole, run = Run(model).feed(told), Run(model)
    for item in told:
        run.feed([item])
        if chance.random() < 0.03:
            run.save()
        if chance.random() < 0.02:
            run.restart(chance)
    assert encoded(run.outputs) == encoded(whole.outputs)


@pytest.mark.long
@some
@given(seeds)
def test_state_records_are_the_timeline_of_a_naive_recomputation(chance: random.Random) -> None:
    scene = scenario(chance)
    run = Run().feed(delayed(chance, scene, 3 * MINUTE))
    states = all_samples(scene, CELL, "State")
    modes = all_samples(scene, CELL, "Mode")
    life = sorted({s.at for s in all_samples(scene, CELL) if s.quality == 0})
    names = CODE_MAPS["packml"]
    mode_names = {1: "production", 2: "maintenance", 3: "manual", 4: "setup"}

    def naive(at: int) -> tuple[str, str]:
        heard = [t for t in life if t <= at]
        after = [t for t in life if t > at]
        until = after[0] if after else scene.end
        if not heard or (until - heard[-1] > 60 * S):
            return "unknown", "unknown"
        state = next(
            (names[whole(s)] if s.quality == 0 else "unknown" for s in reversed(states) if s.at <= at), "unknown"
        )
        mode = next(
            (mode_names[whole(s)] if s.quality == 0 else "unknown" for s in reversed(modes) if s.at <= at),
            "production",
        )
        return (state, mode) if state != "unknown" else ("unknown", "unknown")

    records: list[State] = run.newest("state")
    assert records
    for before, after in pairwise(records):
        assert before.ended_at == after.started_at
    for record in records:
        end = record.ended_at or scene.end
        for at in (record.started_at, (record.started_at + end) // 2, end - 1):
            # Why a state is unknown is asked by test_unobserved_properties.
            mode = "unknown" if record.state == "unknown" else record.mode
            assert naive(at) == (record.state, mode)


@pytest.mark.long
@some
@given(seeds)
def test_production_sums_to_what_the_counters_made(chance: random.Random) -> None:
    scene = scenario(chance)
    run = Run().feed(delayed(chance, scene, 20 * MINUTE))
    for path in (CELL, OTHER):
        made = {"good": 0, "scrap": 0}
        for tag, modulus in (("Good", 1000), ("Scrap", None)):
            counts = [(s.at, whole(s)) for s in all_samples(scene, path, tag) if s.quality == 0]
            made["good" if tag == "Good" else "scrap"] += pieces_of(counts, modulus)
        records: list[Production] = run.newest("production", path)
        assert {"good": sum(r.good for r in records), "scrap": sum(r.scrap for r in records)} == made
        spans = [(r.started_at, r.ended_at) for r in records]
        assert all(a[1] <= b[0] for a, b in pairwise(spans) if a[1] is not None)


@some
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=300), st.booleans())
def test_true_pieces_through_roll_over_and_reset(steps: list[tuple[int, bool]], rolls: bool) -> None:
    """A machine that shows its counter after every cycle (of 6 s) and each time it starts again from 0.

    No faster than it can be: what comes back in one step that no machine makes is a dip, not a reset.
    """
    count, truth, told, cycle = (990 if rolls else 0), 0, [samples(T0, Good=990, Scrap=0)], 6 * S
    for n, (made, reset) in enumerate(steps, start=1):
        if reset and not rolls:
            count = 0
            told.append(samples(T0 + (n - 1) * cycle + 1, Scrap=0))
        truth += made
        count += made
        told.append(samples(T0 + n * cycle, {"Good": count % 1000} if rolls else {"Scrap": count}))
    run = Run().feed([*told, *ticks(T0, T0 + 31 * MINUTE)])
    records: list[Production] = run.newest("production")
    assert sum(r.good if rolls else r.scrap for r in records) == truth


@pytest.mark.long
@some
@given(seeds)
def test_shift_and_order_windows_are_sums_of_the_time_they_cover(chance: random.Random) -> None:
    scene = scenario(chance)
    run = Run().feed(scene.punctual())
    shift = next(r for _, r in scene.told if isinstance(r, Shift) and r.id == "a")
    made: list[Production] = run.newest("production")
    inside = sum(
        r.good
        for r in made
        if shift.started_at <= r.started_at and r.ended_at is not None and r.ended_at <= shift.ended_at
    )
    edge = sum(r.good for r in made if r.started_at < shift.ended_at and (r.ended_at or 0) > shift.started_at)
    window = next((r for r in run.newest("oee") if r.window_name == "a"), None)
    assert window is not None
    assert inside <= window.good <= edge


def test_bad_samples_of_every_kind_never_raise_and_all_outputs_have_bytes() -> None:
    codec = Codec({name: n for n, name in enumerate(TYPES, start=1)})
    run = Run().feed([tick(T0)])
    values: list[Value] = [
        None,
        True,
        -1,
        0,
        1.5,
        float("nan"),
        float("inf"),
        1e308,
        -1e308,
        1e99,
        2**39,
        2**63 - 1,
        "text",
        "",
    ]
    for n, value in enumerate(values * 3):
        for tag in ("State", "Mode", "Good", "Scrap", "StopReason", "FillVolume", "Other"):
            for quality in (0, BAD):
                run.feed([samples(T0 + n * S, {tag: value}, quality=quality)])
    run.feed([samples(T0 + 50 * S, Scrap=7), samples(T0 + 80 * S, Scrap=9)])  # 2**39 pieces a second count nothing
    run.feed(ticks(T0 + 2 * MINUTE, T0 + 80 * MINUTE))
    assert {r.reason for r in run.rejections} == {
        "not_finite",
        "out_of_range",
        "unknown_code",
        "unmapped_state",
        "wrong_type",
    }
    assert {r.message_class for r in run.records} >= {"state", "production", "oee", "quality", "current"}
    for record in run.records:
        codec.encode(record)


@pytest.mark.long
@some
@given(seeds)
def test_every_record_survives_avro(chance: random.Random) -> None:
    codec = Codec({name: n for n, name in enumerate(TYPES, start=1)})
    records = Run().feed(scenario(chance).punctual()).records
    assert records
    for record in records:
        assert codec.decode(codec.encode(record)) == record
