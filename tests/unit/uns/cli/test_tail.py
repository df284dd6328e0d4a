"""A line and a document of `uns tail`: quarantined payloads, the site's clock, no words of Python."""

from typing import Any

import pytest

from schemas.records import Record, Sample, Samples, Shift
from schemas.text import micros
from tests.unit.uns.cli.test_times import PLANT
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from uns.cli.tail import document, line
from uns.client.subscribe import Received
from uns.kafka.message import Headers, error_headers
from uns.model.zones import SiteZones

AT = micros("2026-11-23T12:00:00.25Z")
CELL = Path.parse("acme/dallas/packaging/line-1/filler")
HEADERS = error_headers(
    connector="plc",
    stage="VALUE_CONVERTER",
    reason="malformed",
    words="no JSON",
    topic="uns.acme.dallas.packaging.raw",
    partition=2,
    offset=17,
)


def received(value: bytes | None, record: Record | None, kind: MessageClass, headers: Headers = ()) -> Received:
    problem = None if record is not None else "not framed"
    return Received("uns.x", 0, 5, CELL, kind, AT, value, record, problem, headers)


@pytest.mark.parametrize(
    ("payload", "encoding", "shown"),
    [
        ('{"größe": 1}'.encode(), "text", '{"größe": 1}'),
        (b"\x00\x00\x00\x00\x07abc", "hex", "0000000007616263"),
        (b"\xff\xfe", "hex", "fffe"),
        (b"", "text", ""),
        (None, "text", ""),
    ],
)
def test_a_quarantined_record_shows_why_and_what(payload: bytes | None, encoding: str, shown: str) -> None:
    # What a record had as headers before is not what the quarantine says of it.
    message = received(payload, None, MessageClass.QUARANTINE, (("uns.reason", b"earlier"), *HEADERS))
    told = document(message)
    wanted = {"reason": "malformed", "stage": "VALUE_CONVERTER", "message": "no JSON", "connector": "plc"}
    assert told | wanted == told
    assert (told["encoding"], told["payload"]) == (encoding, shown)
    assert told["source"] == {"topic": "uns.acme.dallas.packaging.raw", "partition": "2", "offset": "17", "tag": None}
    assert told["record"] == {"problem": "not framed"}
    text = line(message, SiteZones(PLANT))
    assert all(word in text for word in ("malformed", "VALUE_CONVERTER", "no JSON", f"{encoding} {shown}"))
    assert "2026-11-23 06:00:00 CST" in text


def test_a_long_payload_is_cut_for_people_only() -> None:
    message = received(b"x" * 5000, None, MessageClass.QUARANTINE, HEADERS)
    assert len(line(message, SiteZones(None))) < 1000
    assert document(message)["payload"] == "x" * 5000


@pytest.mark.parametrize(("value", "shown"), [(True, "true"), (None, "null"), (1.5, "1.5"), ("on", "on"), (7, "7")])
def test_samples_at_the_sites_clock(value: Any, shown: str) -> None:
    record = Samples(source="plc", sequence=1, samples=(Sample(tag="Run", at=AT, value=value, quality=0),))
    message = received(b"", record, MessageClass.RAW)
    assert line(message, SiteZones(PLANT)) == f"{CELL}  2026-11-23 06:00:00.250 CST  Run={shown}"
    assert document(message)["samples"][0]["at"] == "2026-11-23T12:00:00.250000+00:00"


def test_a_fact_says_its_type_and_its_times() -> None:
    record = Shift(id="s", name="early", started_at=AT, ended_at=AT, breaks=())
    text = line(received(b"", record, MessageClass.RAW), SiteZones(PLANT))
    assert text.startswith("Shift ")
    assert "started_at=2026-11-23 06:00:00 CST" in text
    assert "breaks=[]" in text
