"""What values, qualities and times are, by datatype; and payloads that are packed, broken or hostile."""

import gzip
import math
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Malformed, Reading
from connectors.kit.payloads import BadPayload
from connectors.sparkplug.codec import COMPRESSED, PAYLOAD_MAX_BYTES, payload_of
from connectors.sparkplug.host import Host
from connectors.sparkplug.values import LEAVES_MAX, scalar
from schemas.records import Sample
from tests.unit.connectors.sparkplug.edge import FIELDS, T0, Edge, config, data, metric, reasons, samples, values
from topology.sparkplug.schema import Payload

SIGNED, UNSIGNED = {1: 8, 2: 16, 3: 32, 4: 64}, {5: 8, 6: 16, 7: 32}


def read(datatype: int, field: str, raw: Any) -> Any:
    return scalar(datatype, Payload().metrics.add(**{field: raw}))


@given(st.sampled_from(sorted(SIGNED)), st.data())
def test_a_signed_integer_in_every_way_that_it_is_written(datatype: int, chance: st.DataObject) -> None:
    """Cut to its own width, carried on to the width of the field, and in the wider field."""
    bits = SIGNED[datatype]
    number = chance.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    ways = [("long_value", number % 2**64), ("long_value", number % 2**bits)]
    if bits <= 32:
        ways += [("int_value", number % 2**32), ("int_value", number % 2**bits), ("long_value", number % 2**32)]
    assert {read(datatype, *way) for way in ways} == {number}


@given(st.sampled_from(sorted(UNSIGNED)), st.integers(0, 2**64 - 1))
def test_an_unsigned_integer_fits_or_is_refused(datatype: int, number: int) -> None:
    if number < 2 ** UNSIGNED[datatype]:
        assert read(datatype, "long_value", number) == number
    else:
        with pytest.raises(BadPayload, match="does not fit"):
            read(datatype, "long_value", number)


@pytest.mark.parametrize(("datatype", "raw"), [(1, 128 + 256), (2, 2**31), (3, 2**33), (5, 2**32 - 1)])
def test_an_integer_that_does_not_fit_is_refused(datatype: int, raw: int) -> None:
    with pytest.raises(BadPayload, match="does not fit"):
        read(datatype, "long_value", raw)


def test_a_uint64_beyond_what_a_record_holds_is_refused() -> None:
    assert read(8, "long_value", 2**63 - 1) == 2**63 - 1
    with pytest.raises(BadPayload, match="64 bits"):
        read(8, "long_value", 2**63)


@given(st.floats())
def test_floats_are_what_they_are(number: float) -> None:
    found = read(10, "double_value", number)
    assert found == number or (math.isnan(found) and math.isnan(number))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1.5])
def test_floats_of_32_bits(number: float) -> None:
    assert struct.pack("f", read(9, "float_value", number)) == struct.pack("f", number)


@pytest.mark.parametrize(("ms", "text"), [(0, "1970-01-01T00:00:00+00:00"), (1_795_413_600_123, "2026-11-23T06:00:00.123000+00:00")])  # fmt: skip
def test_a_time_is_text(ms: int, text: str) -> None:
    assert read(13, "long_value", ms) == text


@pytest.mark.parametrize(("datatype", "field", "raw", "reason"), [
    (3, "string_value", "7", "bad_value"),
    (10, "long_value", 7, "bad_value"),
    (11, "int_value", 1, "bad_value"),
    (12, "boolean_value", True, "bad_value"),
    (13, "double_value", 1.0, "bad_value"),
    (13, "long_value", 2**64 - 1, "bad_value"),
    (0, "int_value", 1, "no_type"),
    (17, "bytes_value", b"a", "bad_type"),
    (18, "bytes_value", b"a", "bad_type"),
    (99, "int_value", 1, "bad_type"),
])  # fmt: skip
def test_a_value_that_is_not_of_its_type_is_refused(datatype: int, field: str, raw: Any, reason: str) -> None:
    with pytest.raises(BadPayload) as caught:
        read(datatype, field, raw)
    assert caught.value.reason == reason


def test_a_bad_metric_does_not_spoil_its_message() -> None:
    edge = Edge().born()
    bad_one = metric("D", True, 3, as_type=11)
    said = edge.ddata("filler", metric("A", 1), metric("B", "x", 12), bad_one, metric("E", 5))
    assert values(thing for thing in said if isinstance(thing, Reading)) == {"A": 1, "B": "x", "E": 5}
    (bad,) = [thing for thing in said if isinstance(thing, Malformed)]
    assert (bad.reason, str(bad.path)) == ("bad_value", "acme/dallas/packaging/line-1/filler")
    assert b"D" in bad.payload
    assert edge.asks() == []


def test_text_that_is_no_utf_8_is_refused() -> None:
    edge = Edge().born()
    raw = metric("Name", "xx", 12)
    payload = edge.payload(raw, seq=edge.next_seq()).replace(b"xx", b"\xff\xfe")
    assert reasons(edge.send("DDATA", "filler", payload)) == ["bad_text"]
    payload = edge.payload(metric("yy", 1), seq=edge.next_seq()).replace(b"yy", b"\xff\xfe")
    assert reasons(edge.send("DDATA", "filler", payload)) == ["bad_text"]


def test_null_is_null() -> None:
    edge = Edge().born()
    assert samples(edge.ddata("filler", data(2, None))) == [Sample("Good", T0, None)]
    no_value = metric("Good", 1, alias=2)
    no_value.ClearField("long_value")
    assert reasons(edge.ddata("filler", no_value)) == ["bad_value"], "neither a value nor null"


def test_times_are_the_metrics_then_the_messages_then_ours() -> None:
    edge = Edge().born()
    edge.now += 1_000_000
    said = [
        *edge.ddata("filler", data(2, 1, at=T0 + 5000)),
        *edge.ddata("filler", data(2, 2, at=None)),
        *edge.ddata("filler", data(2, 3, at=0)),
    ]
    assert [s.at for s in samples(said)] == [T0 + 5000, edge.now, edge.now]
    assert [thing.time_of for thing in said if isinstance(thing, Reading)] == ["source", "server", "server"]


def test_without_any_time_it_is_that_of_the_arrival() -> None:
    edge = Edge()
    edge.send("NBIRTH", None, edge.payload(metric("bdSeq", 0, at=None), metric("Mode", 1, at=None), seq=0, at=0))
    said = edge.send("NDATA", None, edge.payload(metric("Mode", 2, at=None), seq=1, at=0))
    assert [(s.value, s.at) for s in samples(said)] == [(2, edge.now)]
    assert [thing.time_of for thing in said if isinstance(thing, Reading)] == ["arrival"]


@pytest.mark.parametrize(("code", "quality"), [(0, 0x80000000), (192, 0), (500, 0x408F0000)])
def test_the_property_quality_is_the_quality(code: int, quality: int) -> None:
    edge = Edge().born()
    said = metric("Good", 1)
    said.properties.keys.extend(["engUnit", "Quality"])
    said.properties.values.add(type=12, string_value="mm")
    said.properties.values.add(type=3, int_value=code)
    assert samples(edge.ddata("filler", said)) == [Sample("Good", T0, 1, quality)]


def test_a_quality_that_nobody_knows_is_not_guessed() -> None:
    edge = Edge().born()
    said = metric("Good", 1)
    said.properties.keys.append("Quality")
    said.properties.values.add(type=3, int_value=64)
    assert reasons(edge.ddata("filler", said)) == ["bad_quality"]


# -- values inside others --------------------------------------------------------------------------------------


def template(*members: Any, definition: bool = False) -> Any:
    made = Payload().metrics.add(name="Motor", datatype=19, timestamp=T0 // 1000)
    made.template_value.is_definition = definition
    made.template_value.metrics.extend(members)
    return made


def test_members_that_say_no_datatype_have_that_of_the_birth() -> None:
    edge = Edge()
    edge.nbirth()
    inner = metric("Speed", -3, 2)
    edge.dbirth("filler", template(inner, template(metric("On", True, 11))))
    said = edge.ddata("filler", template(metric("Speed", -4, 0, as_type=2), template(metric("On", False, 0, as_type=11))))  # fmt: skip
    assert values(said) == {"Motor.Speed": -4, "Motor.Motor.On": False}
    assert set(values(edge.ndeath())) == {"Motor.Speed", "Motor.Motor.On"}


def test_a_definition_is_no_value() -> None:
    edge = Edge()
    assert edge.nbirth(template(metric("Speed", 1), definition=True)) == []


def test_a_data_set_whose_rows_do_not_fit_is_refused() -> None:
    edge = Edge()
    table = Payload().metrics.add(name="T", datatype=16, timestamp=T0 // 1000)
    table.dataset_value.columns.extend(["a", "b"])
    table.dataset_value.types.extend([3, 3])
    table.dataset_value.rows.add().elements.add(int_value=1)
    assert reasons(edge.nbirth(table)) == ["bad_payload"]
    table.dataset_value.types.append(3)
    assert reasons(edge.ndata(table)) == ["bad_payload"]


def test_values_of_one_metric_are_bounded() -> None:
    edge = Edge()
    curve = Payload().metrics.add(name="Curve", datatype=26, timestamp=T0 // 1000, bytes_value=bytes(LEAVES_MAX + 1))
    said = edge.nbirth(curve)
    assert reasons(said) == ["too_large"]
    assert len(said) == LEAVES_MAX + 1


@pytest.mark.parametrize(("datatype", "packed"), [(24, b"123"), (32, b"\1\0"), (32, b"\1\0\0\0"), (32, b"\xff\xff\xff\xff\0"), (33, b"ab")])  # fmt: skip
def test_an_array_that_is_cut_is_refused(datatype: int, packed: bytes) -> None:
    edge = Edge()
    said = edge.nbirth(Payload().metrics.add(name="A", datatype=datatype, timestamp=T0 // 1000, bytes_value=packed))
    assert reasons(said) == ["bad_value"]


def test_a_deep_template_is_refused() -> None:
    deep = metric("x", 1)
    for _ in range(40):
        deep = template(deep)
    assert reasons(Edge().nbirth(deep)) == ["bad_payload"]


def test_metrics_are_bounded() -> None:
    host = Host(config())
    host.room.left = 10
    edge = Edge(host)
    said = edge.nbirth(*(metric(f"M{number}", number) for number in range(10)))
    assert set(reasons(said)) == {"too_many"}
    assert edge.ndeath()
    assert host.room.left == 0
    edge.nbirth(metric("M0", 1))
    assert values(edge.nbirth(metric("M0", 1), metric("New", 1)))["New"] == 1, "what is no more makes room"
    for number in range(20):
        edge.say("DDATA", f"d{number}", metric("x", 1))
    assert host.room.left >= 0


# -- packed ----------------------------------------------------------------------------------------------------


def packed(body: bytes, algorithm: str | None = None) -> bytes:
    outer = Payload(uuid=COMPRESSED, body=body)
    if algorithm:
        outer.metrics.add(name="algorithm", datatype=12, string_value=algorithm)
    return bytes(outer.SerializeToString())


@pytest.mark.parametrize(("pack", "algorithm"), [(gzip.compress, "GZIP"), (zlib.compress, "DEFLATE"), (zlib.compress, None)])  # fmt: skip
def test_a_packed_payload_is_read(pack: Any, algorithm: str | None) -> None:
    edge = Edge().born()
    inner = edge.payload(data(2, 11), seq=edge.next_seq())
    assert values(edge.send("DDATA", "filler", packed(pack(inner), algorithm))) == {"Good": 11}


def test_a_sequence_number_outside_counts() -> None:
    edge = Edge().born()
    outer = Payload.FromString(packed(gzip.compress(edge.payload(data(2, 11)))))
    outer.seq = edge.next_seq()
    assert values(edge.send("DDATA", "filler", outer.SerializeToString())) == {"Good": 11}


@pytest.mark.parametrize(("body", "algorithm", "reason"), [
    (b"no zlib", None, "bad_payload"),
    (gzip.compress(b"12345678", mtime=0)[:-3], "GZIP", "bad_payload"),
    (b"x", "LZMA", "bad_payload"),
    (gzip.compress(b"\xff{", mtime=0), "GZIP", "bad_protobuf"),
    (gzip.compress(packed(gzip.compress(b"", mtime=0)), mtime=0), "GZIP", "bad_payload"),
    (gzip.compress(bytes(PAYLOAD_MAX_BYTES + 1), mtime=0), "GZIP", "too_large"),
])  # fmt: skip
def test_what_cannot_be_unpacked_is_told(body: bytes, algorithm: str | None, reason: str) -> None:
    with pytest.raises(BadPayload) as caught:
        payload_of(packed(body, algorithm))
    assert caught.value.reason == reason


def test_a_payload_beyond_the_limit_is_not_read() -> None:
    with pytest.raises(BadPayload, match="at most"):
        payload_of(bytes(PAYLOAD_MAX_BYTES + 1))


@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_a_value_comes_through_a_session_as_it_was(datatype: int, chance: st.DataObject) -> None:
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "boolean_value": st.booleans(),
        "string_value": st.text(st.characters(exclude_categories=["Cs"])),
        "float_value": st.floats(width=32, allow_nan=False),
        "double_value": st.floats(allow_nan=False),
    }
    bits = SIGNED.get(datatype) or UNSIGNED.get(datatype, 63)
    whole = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if datatype in SIGNED else st.integers(0, 2**bits - 1)
    if datatype == 13:
        return
    value = chance.draw(kinds.get(FIELDS[datatype], whole))
    edge = Edge()
    edge.nbirth(metric("M", None, datatype, alias=9))
    assert samples(edge.ndata(data(9, value, datatype))) == [Sample("M", T0, value)]
