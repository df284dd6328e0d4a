"""OPC UA values to readings, and what its configuration refuses."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.base import Malformed, Reading
from connectors.opcua import spec
from connectors.opcua.codec import Part, decode, micros, moment
from connectors.opcua.config import OpcUaConfig
from schemas.records import Sample, is_good
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
WHEN = datetime(2026, 11, 23, 6, 0, 0, 1, tzinfo=UTC)
AT = 1_795_413_600_000_001
KINDS = ua.VariantType


def read(value: Any, kind: Any = None, **more: Any) -> Reading | Malformed:
    variant = ua.Variant(value, kind) if kind is not None or value is not None else ua.Variant()
    (part,) = decode(PATH, "Tag", "ns=2;s=Tag", ua.DataValue(variant, **{"SourceTimestamp": WHEN, **more}))
    assert part.tag == "Tag"
    return part.said


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (True, KINDS.Boolean, True),
        (7, KINDS.Byte, 7),
        (-7, KINDS.Int16, -7),
        (2**63 - 1, KINDS.Int64, 2**63 - 1),
        (1.5, KINDS.Float, 1.5),
        (1.5, KINDS.Double, 1.5),
        ("ä", KINDS.String, "ä"),
        (None, None, None),
        (datetime(2026, 11, 23, 6, 0), KINDS.DateTime, "2026-11-23T06:00:00+00:00"),
        (ua.LocalizedText("läuft", "de"), KINDS.LocalizedText, "läuft"),
        (ua.LocalizedText(), KINDS.LocalizedText, ""),
        (ua.QualifiedName("Run", 2), KINDS.QualifiedName, "Run"),
        (ua.NodeId("Run", 2), KINDS.NodeId, "ns=2;s=Run"),
        (uuid.UUID(int=7), KINDS.Guid, "00000000-0000-0000-0000-000000000007"),
        (ua.ServerState.Failed, KINDS.Int32, 1),
        (b"\xff\x00", KINDS.ByteString, "ff00"),
        (b"", KINDS.ByteString, ""),
        (ua.StatusCode(ua.UInt32(0x80020000)), KINDS.StatusCode, 0x80020000),
        (ua.XmlElement("<a/>"), KINDS.XmlElement, "<a/>"),
    ],
)
def test_types(value: Any, kind: Any, expected: Any) -> None:
    assert read(value, kind) == Reading(PATH, Sample("Tag", AT, expected, 0))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**63, KINDS.UInt64),
        (float("nan"), KINDS.Double),
        (float("-inf"), KINDS.Float),
        (b"\0" * 513, KINDS.ByteString),
        (ua.ExtensionObject(ua.NodeId(5001, 2), b"\0\1"), KINDS.ExtensionObject),
        ([0] * 65, KINDS.Int32),
        ([[0] * 13] * 5, KINDS.Int32),
    ],
)
def test_what_is_no_value_of_a_tag(value: Any, kind: Any) -> None:
    bad = read(value, kind)
    assert isinstance(bad, Malformed)
    assert (bad.reason, bad.origin, bad.path) == ("bad_value", "ns=2;s=Tag", PATH)
    assert "ns=2;s=Tag" in bad.message


def values(value: Any, **more: Any) -> dict[str, Any]:
    variant = ua.Variant(value, KINDS.Int32 if value == [] else None)
    data = ua.DataValue(variant, **{"SourceTimestamp": WHEN, **more})
    parts = decode(PATH, "Tag", "ns=2;s=Tag", data)
    return {part.tag: part.said.sample.value if isinstance(part.said, Reading) else part.said for part in parts}


def test_arrays_and_structures_have_a_tag_for_each_part() -> None:
    assert values([1, 2]) == {"Tag.0": 1, "Tag.1": 2}
    assert values([[1, 2], [3, 4]]) == {"Tag.0.0": 1, "Tag.0.1": 2, "Tag.1.0": 3, "Tag.1.1": 4}
    assert values(list(range(64))) == {f"Tag.{n}": n for n in range(64)}
    assert values([]) == {}
    assert values(ua.Range(1, 2)) == {"Tag.Low": 1, "Tag.High": 2}
    unit = ua.EUInformation("urn:u", 7, ua.LocalizedText("bar"), ua.LocalizedText("pressure", "en"))
    assert values([unit]) == {"Tag.0.NamespaceUri": "urn:u", "Tag.0.UnitId": 7, "Tag.0.DisplayName": "bar", "Tag.0.Description": "pressure"}  # fmt: skip
    assert values([ua.Variant(1), ua.Variant("a")]) == {"Tag.0": 1, "Tag.1": "a"}


def test_a_bad_part_does_not_spoil_the_others() -> None:
    read = values([1.0, float("nan"), 2.0])
    assert (read["Tag.0"], read["Tag.2"]) == (1, 2)
    assert isinstance(read["Tag.1"], Malformed)
    assert (read["Tag.1"].payload, read["Tag.1"].reason) == (b"nan", "bad_value")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_cannot_be_counted_with_is_nothing_beside_a_bad_quality(value: float) -> None:
    bad = ua.StatusCode(ua.UInt32(ua.StatusCodes.BadSensorFailure))
    assert read(value, StatusCode=bad) == Reading(PATH, Sample("Tag", AT, None, ua.StatusCodes.BadSensorFailure))
    assert isinstance(read(value, StatusCode=ua.StatusCode(ua.UInt32(0x40000000))), Malformed)


def test_a_whole_that_is_bad_has_bad_parts() -> None:
    code = ua.StatusCodes.BadNoCommunication
    data = ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(code)), SourceTimestamp=WHEN)
    parts = decode(PATH, "Tag", "i=1", data, known=("Tag.0", "Tag.1"))
    assert [part.said for part in parts] == [Reading(PATH, Sample(f"Tag.{n}", AT, None, code)) for n in (0, 1)]


@pytest.mark.parametrize(
    "code", [0, 0x40000000, 0x80000000, 0x808C0000, 0x409F0000, 0x00960000, 0x80000000 | 0x480, 2**32 - 1]
)
def test_status_codes_are_kept_whole(code: int) -> None:
    part = read(1, StatusCode=ua.StatusCode(ua.UInt32(code)))
    assert isinstance(part, Reading)
    assert part.sample.quality == code
    assert is_good(part.sample.quality) == (code < 0x40000000)


def test_times() -> None:
    later = WHEN + timedelta(seconds=1)
    assert read(1, ServerTimestamp=later) == Reading(PATH, Sample("Tag", AT, 1))
    assert read(1, SourceTimestamp=None, ServerTimestamp=later) == Reading(
        PATH, Sample("Tag", AT + 1_000_000, 1), "server"
    )
    none = read(1, SourceTimestamp=None)
    assert isinstance(none, Malformed)
    assert (none.reason, none.payload) == ("no_time", b"1")


@pytest.mark.parametrize("year", [1601, 1970, 1980, 9999])
def test_a_time_that_can_be_none_is_none(year: int) -> None:
    unset = datetime(year, 1, 1, tzinfo=UTC)
    assert read(1, SourceTimestamp=unset, ServerTimestamp=WHEN) == Reading(PATH, Sample("Tag", AT, 1), "server")
    data = ua.DataValue(ua.Variant(1), SourceTimestamp=unset, ServerTimestamp=unset)
    assert decode(PATH, "Tag", "i=1", data, AT) == [Part("Tag", Reading(PATH, Sample("Tag", AT, 1), "arrival"))]
    assert isinstance(decode(PATH, "Tag", "i=1", data)[0].said, Malformed)


@given(st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 30)), st.integers(-840, 840))
def test_microseconds_are_exact_and_go_back(naive: datetime, offset_min: int) -> None:
    assert moment(micros(naive)) == naive.replace(tzinfo=UTC)
    elsewhere = naive.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    if 1602 < naive.year < 9999:
        assert moment(micros(elsewhere)) == elsewhere


GOOD: dict[str, Any] = {
    "url": "opc.tcp://plant.example:4840",
    "machines": [{"path": str(PATH), "node": "ns=2;s=filler"}],
}


def config(**changes: Any) -> OpcUaConfig:
    return OpcUaConfig.model_validate({**GOOD, **changes})


@pytest.mark.parametrize("url", ["plant:4840", "http://plant", "opc.tcp://", "", "opc.tcp://h:port"])
def test_an_endpoint_that_is_none(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        config(url=url)


def test_a_password_in_the_endpoint_is_refused() -> None:
    with pytest.raises(ValidationError, match="password_file"):
        config(url="opc.tcp://user:hunter2@h")


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({"path": "acme/Filler 1", "node": "i=1"}, "did you mean 'acme/filler-1'"),
        ({"path": str(PATH)}, "give `node`, list `tags`"),
        ({"path": str(PATH), "node": "filler"}, "no node id"),
        ({"path": str(PATH), "tags": {"A": "ns=x;s=A"}}, "no node id"),
        ({"path": str(PATH), "nodes": ["i=1"]}, "nodes"),
    ],
)
def test_a_machine_that_cannot_be_read(machine: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(machines=[machine])


def test_two_machines_with_one_path() -> None:
    with pytest.raises(ValidationError, match="machines 0 and 1 both have the path"):
        config(machines=GOOD["machines"] * 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"publish_interval_ms": 1},
        {"queue_size": 0},
        {"timeout_s": 0},
        {"history_max": 0},
        {"machines": []},
        {"security_policy": "Basic128Rsa15"},
        {"no_such": 1},
    ],
)
def test_values_out_of_range(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        config(**changes)


def test_security_needs_its_files() -> None:
    with pytest.raises(ValidationError, match="needs certificate and private_key"):
        config(security_policy="Basic256Sha256")
    with pytest.raises(ValidationError, match="go together"):
        config(user_certificate="a.pem")
    with pytest.raises(ValidationError, match="not both"):
        config(user_certificate="a.pem", user_key="b.pem", username="anna")
    safe = config(security_policy="Basic256Sha256", certificate="a.pem", private_key="b.pem")
    assert spec.paths(safe) == (PATH,)
