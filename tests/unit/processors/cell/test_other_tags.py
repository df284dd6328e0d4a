"""Tags that the type does not name: any number of them, of which the first by name are shown."""

import random

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.records import TYPES, Current
from tests.harness.line_logs import CELL, EXECUTE, MINUTE, T0, Run, S, Told, beats, plant, samples, ticks
from topology.cluster import MESSAGE_MAX_BYTES
from topology.model.plant import Plant


def showing(other_tags_max: int) -> Plant:
    model = plant()
    filler = model.types["filler"].model_copy(update={"other_tags_max": other_tags_max})
    return model.model_copy(update={"types": {"filler": filler}})


def shown(run: Run) -> list[tuple[str, object]]:
    last = [record for record in run.records if isinstance(record, Current)][-1]
    return [(tag.tag, tag.value) for tag in last.tags]


def test_five_thousand_tags_are_no_fault_and_cost_the_snapshot_and_the_state_little() -> None:
    """[own] Before, those after the 512th were refused, sample by sample."""
    run = Run().feed([samples(T0, State=EXECUTE)])
    names = [f"DB12.Zone{n:04}.Temperature.Actual" for n in range(5_000)]
    random.Random(0).shuffle(names)
    for second in range(3):
        run.feed([samples(T0 + second * S, {name: float(second) for name in names})])
    run.feed(ticks(T0 + 3 * S, T0 + MINUTE))
    assert not run.rejections
    assert shown(run) == [*((name, 2.0) for name in sorted(names)[:512]), ("State", EXECUTE)]
    record = [r for r in run.records if isinstance(r, Current)][-1]
    codec = Codec({name: n for n, name in enumerate(TYPES, start=1)})
    assert len(codec.encode(record)) < MESSAGE_MAX_BYTES // 20
    run.save()
    assert max(len(value) for value in run.store.values()) < MESSAGE_MAX_BYTES // 20


def test_a_tag_that_is_not_shown_is_a_sign_of_life() -> None:
    run = Run(showing(0)).feed([samples(T0, State=EXECUTE)])
    run.feed([samples(T0 + n * 10 * S, Zone=n) for n in range(60)])
    run.feed(ticks(T0 + 10 * MINUTE, T0 + 10 * MINUTE))
    assert shown(run) == [("State", EXECUTE)]
    assert [state.state for state in run.newest("state")] == ["execute"]


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 20)), min_size=1, max_size=40, unique=True),
    st.randoms(use_true_random=False),
    st.integers(0, 5),
)
def test_which_are_shown_follows_from_the_samples_alone(
    told: list[tuple[str, int]], chance: random.Random, most: int
) -> None:
    def after(order: list[tuple[str, int]], restarts: bool) -> list[tuple[str, object]]:
        run = Run(showing(most)).feed(beats(T0, T0 + MINUTE, path=CELL))
        for name, second in order:
            item: Told = samples(T0 + second * S, {name: second})
            run.feed([item])
            if restarts and chance.random() < 0.2:
                run.restart(chance)
        return shown(run.feed(ticks(T0 + MINUTE, T0 + MINUTE)))

    names = sorted({name for name, _ in told})[:most]
    newest = {name: max(second for other, second in told if other == name) for name in names}
    shuffled = told[:]
    chance.shuffle(shuffled)
    for order in (told, shuffled):
        assert [pair for pair in after(order, restarts=True) if pair[0] != "Heartbeat"] == sorted(newest.items())
