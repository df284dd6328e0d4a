"""Packing: every unit becomes an entry or is suppressed, and nothing that a source says can spoil the rest."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Batch, FactReading, Malformed, Reading, Safe
from schemas.records import Acknowledge, Fact, Inspection, Order, Reason, Sample, Samples, Value
from tests.harness.any_record import records
from tests.harness.line_logs import BAD, CELL, LINE, OTHER
from tests.harness.packers import CODEC, NOWHERE, PLANT, QUARANTINE, RAW, headers, packer, reading, readings
from topology.namespace.path import Path
from topology.namespace.topics import partition
from uns.kafka.message import QUARANTINED_MAX_BYTES
from uns.runners.connector.packing import (
    RECORD_MAX_BYTES,
    SAMPLES_MAX,
    PackedRecords,
)
from uns.runners.connector.shaping import DEADBAND, UNCHANGED
from uns.runners.connector.spool import SpoolEntry


def published(packed: PackedRecords) -> list[Samples]:
    records = [CODEC.decode(entry.value) for entry in packed.entries if entry.topic == RAW]
    return [record for record in records if isinstance(record, Samples)]


def values(packed: PackedRecords) -> list[Value]:
    return [sample.value for record in published(packed) for sample in record.samples]


def balanced(packed: PackedRecords) -> bool:
    return packed.read == sum(entry.units for entry in packed.entries) + packed.suppressed.total()


def quarantined(packed: PackedRecords) -> list[SpoolEntry]:
    return [entry for entry in packed.entries if entry.quarantine]


def test_values_of_a_path_share_a_record_with_key_partition_and_headers() -> None:
    packed = packer().pack(
        [
            Batch(readings=(reading(1), reading("ä", at=2), reading(None, path=OTHER))),
            Batch(readings=(reading(True, at=3),)),
        ]
    )
    assert values(packed) == [1, "ä", True, None]
    assert [entry.key for entry in packed.entries] == [CELL.encode(), OTHER.encode()]
    assert [entry.units for entry in packed.entries] == [3, 1]
    assert {entry.partition for entry in packed.entries} == {
        partition(Path.parse(LINE), PLANT.areas()[Path.parse(LINE).parent])  # type: ignore[index]
    }
    assert headers(packed.entries[0]) == {
        "ce_specversion": b"1.0",
        "ce_id": f"plc/{CELL}/1".encode(),
        "ce_source": b"plc",
        "ce_type": b"uns.Samples",
        "content-type": b"application/avro",
    }
    assert {place: safe.at for place, safe in packed.newest.items()} == {
        (CELL, "Tag"): 3,
        (OTHER, "Tag"): 1,
    }
    assert balanced(packed)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2**63, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        pytest.param(10**5000, "64 is the most", id="thousands of digits"),
        (float("nan"), "no number"),
        (float("-inf"), "no number"),
        ("x" * RECORD_MAX_BYTES, "characters"),
        ("\ud800", "Unicode"),
        ([1], "list"),
        (b"x", "bytes"),
        ({"a": {1}}, "dict"),
    ],
)
def test_a_value_that_no_record_holds_goes_to_quarantine_alone(value: Any, words: str) -> None:
    packed = packer().pack(readings(reading(1), reading(value, "Other"), reading(2, at=2)))
    assert values(packed) == [1, 2]
    (bad,) = quarantined(packed)
    assert (bad.topic, bad.key, bad.quarantine, bad.units) == (QUARANTINE, CELL.encode(), "bad_value", 1)
    assert words.split()[-1].encode() in headers(bad)["__connect.errors.exception.message"]
    assert headers(bad)["uns.reason"] == b"bad_value"
    assert json.loads(bad.value)["tag"] == "Other"
    assert (CELL, "Other") not in packed.newest
    assert balanced(packed)


@pytest.mark.parametrize(
    "change", [{"tag": "\udfff"}, {"tag": "t" * RECORD_MAX_BYTES}, {"at": 2**63}, {"quality": 2**70}]
)
def test_so_does_a_tag_or_time_or_quality(change: dict[str, Any]) -> None:
    packed = packer().pack(readings(reading(1), reading(7, **change), reading(2, at=2)))
    assert values(packed) == [1, 2]
    assert [entry.quarantine for entry in quarantined(packed)] == ["bad_value"]
    assert balanced(packed)


def test_a_path_outside_the_plant_goes_to_the_enterprises_quarantine() -> None:
    packed = packer().pack(
        [
            Batch(
                readings=(reading(1, path=NOWHERE), reading(1)),
                facts=(FactReading(Path.parse(NOWHERE), Order(id="o", product="p", started_at=1)),),
            )
        ]
    )
    assert values(packed) == [1]
    for entry in quarantined(packed):
        assert (entry.topic, entry.key, entry.quarantine) == ("uns-internal.acme.quarantine", None, "unknown_path")
        assert headers(entry)["__connect.errors.topic"] == NOWHERE.encode()
        assert NOWHERE.encode() in headers(entry)["__connect.errors.exception.message"]
    assert len(quarantined(packed)) == 2
    assert balanced(packed)


def test_malformed_keeps_its_bytes_and_a_very_long_one_says_that_it_was_cut() -> None:
    payload = bytes(range(256))
    packed = packer().pack(
        [
            Batch(
                malformed=(
                    Malformed("some/topic", payload, "bad_json", "not JSON \ud800", Path.parse(CELL)),
                    Malformed("t" * 9000, b"x" * (QUARANTINED_MAX_BYTES + 1), "bad_json", "ä" * 9000),
                )
            )
        ]
    )
    short, long = packed.entries
    assert (short.value, short.topic, short.key, short.quarantine) == (payload, QUARANTINE, CELL.encode(), "bad_json")
    assert headers(short)["__connect.errors.exception.message"] == b"not JSON \\ud800"
    assert headers(short)["__connect.errors.connector.name"] == b"plc"
    assert len(long.value) == QUARANTINED_MAX_BYTES
    assert headers(long)["uns.cut"] == str(QUARANTINED_MAX_BYTES + 1).encode()
    assert headers(long)["__connect.errors.exception.message"].decode() == "ä" * 1000
    assert len(headers(long)["__connect.errors.topic"]) == 500
    assert balanced(packed)


@pytest.mark.parametrize("path", [CELL, NOWHERE])
@pytest.mark.parametrize(
    "fact",
    [
        Order(id="o", product="cola", started_at=1, planned_quantity=10**5000),
        Order(id="o", product="\ud800", started_at=1),
        Order(id="\ud800", product="cola", started_at=1),
        Inspection(id="i", characteristic="c", at=10**9999, value=1.0),
        Reason(id="r", code=1, started_at=1, by="a" * RECORD_MAX_BYTES),
    ],
    ids=["an integer of 5,000 digits", "half of a pair", "in its id", "a time beyond all", "too long"],
)
def test_a_poisoned_fact_goes_to_quarantine_whole(fact: Fact, path: str) -> None:
    packed = packer().pack([Batch(facts=(FactReading(Path.parse(path), fact),))])
    (entry,) = quarantined(packed)
    assert json.loads(entry.value)["type"] == type(fact).__name__
    assert headers(entry)["uns.reason"] == (b"bad_fact" if path == CELL else b"unknown_path")
    assert balanced(packed)


def test_facts_go_out_as_they_are_and_bad_ones_to_quarantine() -> None:
    good: list[Fact] = [Order(id="o-1", product="cola", started_at=1), Acknowledge(alert="a-1", at=1, by="anna")]
    bad: list[Fact] = [
        Reason(id="r", code=2**63, started_at=1, by="anna"),
        Order(id="\ud800", product="", started_at=1),
        Order(id="x" * 501, product="", started_at=1),
        Order(id="o", product="x" * RECORD_MAX_BYTES, started_at=1),
    ]
    packed = packer().pack([Batch(facts=tuple(FactReading(Path.parse(CELL), fact) for fact in (*good, *bad)))])
    assert [CODEC.decode(entry.value) for entry in packed.entries[:2]] == good
    assert [headers(entry)["ce_id"] for entry in packed.entries[:2]] == [
        f"plc/{CELL}/Order/o-1".encode(),
        f"plc/{CELL}/Acknowledge/a-1".encode(),
    ]
    assert [entry.quarantine for entry in packed.entries[2:]] == ["bad_fact"] * len(bad)
    assert balanced(packed)


def test_unchanged_values_are_left_out_but_a_change_of_quality_or_type_is_not() -> None:
    one = packer(unchanged=True)
    packed = one.pack(
        readings(
            reading(1, at=1),
            reading(1, at=2),
            reading(1, at=3, quality=BAD),
            reading(1, at=4, quality=BAD),
            reading(1, at=5),
            reading(True, at=6),
            reading(1.0, at=7),
            reading(None, at=8),
            reading(None, at=9),
            reading(1, "Other", at=10),
        )
    )
    assert values(packed) == [1, 1, 1, True, 1.0, None, 1]
    assert packed.suppressed == {UNCHANGED: 3}
    assert packed.newest[CELL, "Tag"] == Safe(9, None, 0), "what was left out is safe too"
    assert one.pack(readings(reading(None, at=11))).suppressed == {UNCHANGED: 1}, "also in the next batch"


def test_what_is_ahead_of_history_is_not_safe_until_the_connector_has_caught_up() -> None:
    one, place = packer(), Path.parse(CELL)
    ahead = Reading(place, Sample("Tag", 9, 1), ahead=True)
    packed = one.pack([Batch.of([ahead, Reading(place, Sample("Tag", 5, 0))])])
    assert values(packed) == [1, 0]
    assert packed.newest == {(CELL, "Tag"): Safe(5, 0, 0)}
    assert one.pack([Batch(reached={(place, "Tag"): Safe(9, 1, 0)})]).newest == {(CELL, "Tag"): Safe(9, 1, 0)}


def test_a_deadband_is_measured_from_the_last_published_value() -> None:
    packed = packer(Tag=1.0).pack(readings(*(reading(value) for value in (10, 10.5, 10.9, 11, 11.9, 10.1, 9.9, 12.5))))
    assert values(packed) == [10, 11, 9.9, 12.5], "a slow drift gets through"
    assert packed.suppressed == {DEADBAND: 4}
    assert values(packer(Tag=1.0).pack(readings(reading(10), reading(10, quality=BAD)))) == [10, 10]
    assert values(packer(Tag=1.0).pack(readings(reading("a"), reading("a"), reading(True), reading(False)))) == [
        "a", "a", True, False,
    ]  # fmt: skip


def test_records_are_bounded_in_samples_and_bytes() -> None:
    packed = packer().pack(readings(*(reading(n, at=n) for n in range(2 * SAMPLES_MAX + 1))))
    assert [entry.units for entry in packed.entries] == [SAMPLES_MAX, SAMPLES_MAX, 1]
    assert values(packed) == list(range(2 * SAMPLES_MAX + 1))
    packed = packer().pack(readings(*(reading("𝄞" * 1_024, at=n) for n in range(2 * SAMPLES_MAX))))
    assert all(len(entry.value) <= RECORD_MAX_BYTES + 100 for entry in packed.entries)
    assert len(packed.entries) > 3
    assert len(values(packed)) == 2 * SAMPLES_MAX


def test_a_text_longer_than_its_type_takes_goes_to_quarantine_and_a_comment_is_cut() -> None:
    told = Reason(id="r" * 128, code=1, started_at=1, by="anna", comment="c" * 4_001)
    packed = packer().pack(
        [
            *readings(reading("x" * 1_025), reading("y" * 1_024), reading(1, "t" * 129), reading(2, path=LINE)),
            Batch(facts=(FactReading(Path.parse(CELL), told),)),
        ]
    )
    assert values(packed) == ["y" * 1_024]
    assert [entry.quarantine for entry in quarantined(packed)] == ["bad_value", "bad_value", "unknown_path"]
    (fact,) = [
        record
        for record in map(CODEC.decode, (e.value for e in packed.entries if not e.quarantine))
        if isinstance(record, Reason)
    ]
    assert fact.comment == "c" * 3_999 + "…"
    assert balanced(packed)


PATHS = st.sampled_from([CELL, OTHER, LINE, NOWHERE])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(0, 3), st.floats(), st.text(), st.just("\ud800"), st.just([])
)
READINGS = st.builds(
    reading,
    VALUES,
    st.sampled_from(["Tag", "Other", "\ud800"]),
    st.integers(-10, 10) | st.integers(),
    st.sampled_from([0, BAD]),
    PATHS,
)
FACTS = st.sampled_from(["Order", "Lot", "Shift", "Reason", "Inspection", "Acknowledge"]).flatmap(records)
BATCHES = st.lists(
    st.builds(
        Batch,
        st.lists(READINGS, max_size=8).map(tuple),
        st.lists(st.builds(FactReading, PATHS.map(Path.parse), FACTS), max_size=2).map(tuple),
        st.lists(
            st.builds(
                Malformed, st.text(), st.binary(), st.just("bad_json"), st.text(), st.none() | PATHS.map(Path.parse)
            ),
            max_size=2,
        ).map(tuple),
    ),
    max_size=4,
)


@given(st.lists(BATCHES, max_size=3), st.booleans(), st.sampled_from([{}, {"Tag": 1.0}]))
def test_any_batches_balance_with_sequences_without_a_gap(
    rounds: list[list[Batch]], unchanged: bool, band: dict[str, float]
) -> None:
    one = packer(unchanged, **band)
    sequences: dict[str, list[int]] = {}
    for batches in rounds:
        packed = one.pack(batches)
        assert packed.read == sum(map(len, batches))
        assert balanced(packed)
        assert all(-(2**63) <= safe.at < 2**63 for safe in packed.newest.values())
        for entry in packed.entries:
            for name, value in entry.headers:
                name.encode(), value.decode()
            if not entry.quarantine:
                assert entry.key is not None
                record = CODEC.decode(entry.value)
                if isinstance(record, Samples):
                    sequences.setdefault(entry.key.decode(), []).append(record.sequence)
                    assert len(record.samples) == entry.units
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values())


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, BAD])), max_size=30), st.integers(1, 5))
def test_without_a_deadband_what_is_published_tells_every_change(told: list[tuple[int, int]], size: int) -> None:
    one = packer(unchanged=True)
    parts = [told[i : i + size] for i in range(0, len(told), size)]
    found: list[tuple[Value, int]] = []
    for part in parts:
        packed = one.pack(readings(*(reading(value, quality=quality) for value, quality in part)))
        found += [(sample.value, sample.quality) for record in published(packed) for sample in record.samples]
    assert found == list(changes(told))


def changes(told: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    before = None
    for one in told:
        if one != before:
            yield one
        before = one


def test_with_more_tags_than_are_remembered_values_are_published_once_more_not_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("uns.runners.connector.shaping.TAGS_MAX", 2)
    one = packer(unchanged=True)
    assert values(one.pack(readings(*(reading(1, tag) for tag in "ABC")))) == [1, 1, 1]
    assert values(one.pack(readings(reading(1, "C"), reading(1, "A")))) == [1], "C is remembered, A no more"
