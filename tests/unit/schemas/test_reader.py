"""The reader of `Samples` says what fastavro says, and leaves to it whatever is not well formed."""

import io
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.catalog import parsed, source
from schemas.codec import Codec, Undecodable
from schemas.reader import samples
from schemas.records import GOOD, TYPES, Sample, Samples
from tests.harness.any_record import records

CODEC = Codec({name: number for number, name in enumerate(TYPES, 1)})
SCHEMA = parsed(source("Samples"))
NUMBERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=200)


def judged(body: bytes) -> Samples | None:
    """What fastavro makes of the bytes; None: it refuses, or bytes are left."""
    stream = io.BytesIO(body)
    try:
        value = fastavro.schemaless_reader(stream, SCHEMA, None)
        record = msgspec.convert(value, Samples)
    except Exception:
        return None
    return record if stream.tell() == len(body) else None


def shown(record: Samples | None) -> str:
    """Types, signs of zero and NaN included."""
    return repr(record)


@given(records("Samples"))
def test_whatever_the_schema_allows_is_read_alike(record: Any) -> None:
    body = CODEC.encode(record)[5:]
    assert shown(judged(body)) == shown(record)
    told = samples(body, 0)
    assert told is None or shown(told) == shown(record)


@given(st.lists(st.tuples(st.text(max_size=12), st.integers(0, 2**62 - 1), VALUES, st.integers(0, 2**32 - 1))))
@example([("Tag", 1_795_000_000_000_000, -0.0, GOOD)] * 3)
@example([("Ä" * 31, -1, "x" * 5_000, 0x408F0000), ("t", 2**61, True, GOOD)])
@example([])
def test_usual_records_are_read_here(parts: list[Any]) -> None:
    usual = [part for part in parts if type(part[2]) is not int or -(2**62) <= part[2] < 2**62]
    record = Samples("connector", 17, tuple(Sample(*part) for part in usual if len(part[0].encode()) < 64))
    told = samples(CODEC.encode(record), 5)
    assert told is not None
    assert shown(told) == shown(record)


@given(records("Samples"), st.data())
def test_bytes_that_were_spoiled_are_never_read_otherwise(record: Any, data: st.DataObject) -> None:
    body = bytearray(CODEC.encode(record)[5:])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body)))
        match data.draw(st.sampled_from(("change", "cut", "add"))):
            case "change" if place < len(body):
                body[place] = data.draw(st.sampled_from((0, 1, 2, 4, 6, 8, 63, 64, 126, 127, 128, 129, 255)))
            case "cut":
                del body[place:]
            case _:
                body[place:place] = data.draw(st.binary(max_size=11))
    told = samples(bytes(body), 0)
    assert told is None or shown(told) == shown(judged(bytes(body)))


@given(st.binary(max_size=60))
def test_any_bytes_are_never_read_otherwise(body: bytes) -> None:
    told = samples(body, 0)
    assert told is None or shown(told) == shown(judged(body))


@given(st.binary(max_size=60))
def test_what_is_refused_is_refused_in_the_same_words(body: bytes) -> None:
    framed = CODEC.encode(Samples("s", 1, ()))[:5] + body
    if (record := judged(body)) is not None:
        assert shown(CODEC.decode(framed)) == shown(record)  # type: ignore[arg-type]
    else:
        with pytest.raises(Undecodable, match=r"not a Samples|follow the record"):
            CODEC.decode(framed)
