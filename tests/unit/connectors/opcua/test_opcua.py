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
from connectors.opcua.codec import decode, micros, moment
from connectors.opcua.config import OpcUaConfig
from schemas.records import Sample, is_good
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
WHEN = datetime(2026, 11, 23, 6, 0, 0, 1, tzinfo=UTC)
AT = 1_795_413_600_000_001
KINDS = ua.VariantType


def read(value: Any, kind: Any = None, **more: Any) -> Reading | Malformed:
    variant = ua.Variant(value, kind) if kind is not None or value is not None else ua.Variant()
    return decode(PATH, "Tag", "ns=2;s=Tag", ua.DataValue(variant, **{"SourceTimestamp": WHEN, **more}))


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
    ],
)
def test_types(value: Any, kind: Any, expected: Any) -> None:
    assert read(value, kind) == Reading(PATH, Sample("Tag", AT, expected, 0))


@pytest.mark.parametrize(
    ("value", "kind"), [([1, 2], KINDS.Int32), (b"\x00\x01", KINDS.ByteString), (ua.Range(), KINDS.ExtensionObject)]
)
def test_what_is_no_value_of_a_tag(value: Any, kind: Any) -> None:
    bad = read(value, kind)
    assert isinstance(bad, Malformed)
    assert (bad.reason, bad.origin, bad.path) == ("bad_value", "ns=2;s=Tag", PATH)
    assert "ns=2;s=Tag" in bad.message


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
    assert read(1, SourceTimestamp=None, ServerTimestamp=later) == Reading(PATH, Sample("Tag", AT + 1_000_000, 1))
    none = read(1, SourceTimestamp=None)
    assert isinstance(none, Malformed)
    assert (none.reason, none.payload) == ("no_time", b"1")


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
        ({"path": str(PATH)}, "give `node`, or list `tags`"),
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
    safe = config(security_policy="Basic256Sha256", certificate="a.pem", private_key="b.pem")
    assert safe.security == "Basic256Sha256,SignAndEncrypt,a.pem,b.pem"
    assert config().security is None
    assert spec.paths(safe) == (PATH,)
