"""Splitting a record that its topic refuses: what is not meant goes on, in order, and every unit is accounted for."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Batch, FactReading, Malformed
from schemas.records import Gap, Order, Samples
from tests.harness.line_logs import CELL
from tests.harness.packers import CODEC, headers, packer, reading, readings
from topology.namespace.path import Path


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 3))
def test_of_a_refused_record_only_the_samples_that_are_meant_stay_back(bad: list[bool], before: int) -> None:
    """A topic that refuses each record with a bad sample in it, asked as the outlet asks it."""
    one = packer()
    for number in range(before + 1):
        packed = one.pack(
            readings(*(reading(is_bad, at=n) for n, is_bad in enumerate(bad)))
            if number == before
            else readings(reading(7))
        )
    (entry,) = packed.entries
    waiting, taken, refused, asked = [entry], [], [], 0
    while waiting:
        first = waiting.pop(0)
        record, asked = CODEC.decode(first.value), asked + 1
        assert isinstance(record, Samples)
        assert len(record.samples) == first.units
        assert headers(first)["ce_id"] == f"plc/{CELL}/{record.sequence}".encode()
        assert (first.topic, first.partition, first.key) == (entry.topic, entry.partition, entry.key)
        if not any(sample.value for sample in record.samples):
            taken.append(record)
        elif not (parts := one.halves(first)):
            refused.append(record)
        else:
            waiting = [*parts, *waiting]
    assert [s.at for record in taken for s in record.samples] == [n for n, is_bad in enumerate(bad) if not is_bad]
    assert [s.at for record in refused for s in record.samples] == [n for n, is_bad in enumerate(bad) if is_bad]
    assert asked <= 2 * len(bad) - 1
    sequences = sorted(record.sequence for record in taken + refused)
    assert sequences == list(range(before + 1, before + 1 + len(sequences))), "each number once, none left out"


def test_what_is_no_record_of_several_samples_has_no_halves() -> None:
    one = packer()
    fact = FactReading(Path.parse(CELL), Order(id="o", product="cola", started_at=1))
    packed = one.pack([Batch((reading(1),), (fact,), (Malformed("topic", b"\xff", "bad_json", "not JSON"),))])
    assert len(packed.entries) == 3
    assert [one.halves(entry) for entry in packed.entries] == [()] * 3
    (gap,) = one.gaps({Path.parse(CELL): Gap(id="g", started_at=1, ended_at=2, cause="link_lost", by="plc")})
    assert one.halves(gap) == ()
