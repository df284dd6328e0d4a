"""The step that all engines of the bench share: one output a change, and state that survives a restore."""

from hypothesis import given
from hypothesis import strategies as st

from bench import workload
from bench.step import NONE, ChangeFold, step
from processors.base import Input
from schemas.records import Sample, Samples, State

PATH, TOPIC = "acme/bench/area/line-0/cell-0", "uns.acme.bench.area.raw"


def samples(values: list[int]) -> Samples:
    return Samples("test", 1, tuple(Sample("Count", 1000 + i, value) for i, value in enumerate(values)))


def test_a_change_says_from_to_when_and_where() -> None:
    last, changes = step(NONE, samples([7, 7, 8]), PATH, TOPIC, 0, 41)
    assert last == (8, 41)
    assert [(c.state, c.started_at, c.inputs.first_offset, c.inputs.last_offset) for c in changes] == [
        (">7", 1000, 0, 41),
        ("7>8", 1002, 41, 41),
    ]


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), max_size=8), st.integers(0, 8))
def test_a_restored_fold_goes_on_as_if_it_had_never_stopped(log: list[list[int]], cut: int) -> None:
    inputs = [Input(PATH, TOPIC, 0, offset, samples(values)) for offset, values in enumerate(log)]
    whole, before, after = ChangeFold(), ChangeFold(), ChangeFold()
    expected = [out for item in inputs for out in whole.step(item)]
    found = [out for item in inputs[:cut] for out in before.step(item)]
    for key, value in before.changes().items():
        assert value is not None
        after.restore(key, value)
    found += [out for item in inputs[cut:] for out in after.step(item)]
    assert found == expected
    flat = [value for values in log for value in values]
    assert len(found) == sum(a != b for a, b in zip([None, *flat], flat, strict=False))


@given(st.sampled_from([1, 5, 20, 50]), st.sampled_from([1, 2]))
def test_in_the_workload_every_sample_is_a_change_and_packing_does_not_matter(pack: int, partitions: int) -> None:
    fold, found = ChangeFold(), []
    for offset, (path, record, partition) in enumerate(workload.records(20_000, pack, partitions)):
        found += fold.step(Input(path, TOPIC, partition, offset, record))
    assert len(found) == 20_000
    assert len({out.id for out in found if isinstance(out, State)}) == 20_000
