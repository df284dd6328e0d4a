"""Documents of any version, and what is none."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mtconnect.codec import BadDocument, Cell, Devices, Errors, Streams, header_of, parse

AT = 1_795_413_600_000_000
NOW = "2026-11-23T06:00:00Z"


def streams(inside: str, header: str = 'instanceId="7" nextSequence="9" firstSequence="2" lastSequence="8"') -> bytes:
    return (
        f'<m:MTConnectStreams xmlns:m="urn:mtconnect.org:MTConnectStreams:1.3"><m:Header version="1.3.0.9" {header} '
        f'creationTime="{NOW}" bufferSize="131072"/><m:Streams><m:DeviceStream name="Mill" uuid="u"><m:ComponentStream '
        f'component="Path" componentId="p">{inside}</m:ComponentStream></m:DeviceStream></m:Streams></m:MTConnectStreams>'
    ).encode()


def read(inside: str, **header: Any) -> Streams:
    document = parse(streams(inside, **header))
    assert isinstance(document, Streams)
    return document


def test_a_header_says_what_the_buffer_has() -> None:
    header = read("").header
    assert (header.instance, header.first, header.last, header.next, header.buffer) == (7, 2, 8, 9, 131_072)
    assert (header.version, header.created) == ("1.3.0.9", AT)


def test_what_a_header_leaves_out_is_not_made_up() -> None:
    header = read("", header='instanceId="x" firstSequence="-1"').header
    assert (header.instance, header.first, header.last, header.next) == (None, None, None, None)


def test_an_agent_that_does_not_say_where_to_read_on_is_read_on_behind_what_it_told() -> None:
    inside = f'<m:Events><m:Block dataItemId="b" sequence="41" timestamp="{NOW}">G0</m:Block></m:Events>'
    assert read(inside, header="").header.next == 42


def test_an_observation_has_its_own_time_whatever_its_digits() -> None:
    times = {"2026-11-23T06:00:00Z": 0, "2026-11-23T06:00:00.123456789Z": 123_456, "2026-11-23T07:00:00+01:00": 0, "2026-11-23T06:00:00.5": 500_000}  # fmt: skip
    for text, more in times.items():
        inside = (
            f'<m:Events><m:Execution dataItemId="e" sequence="3" timestamp="{text}"> ACTIVE\n</m:Execution></m:Events>'
        )
        (observation,) = read(inside).observations
        assert (observation.at, observation.text, observation.category) == (AT + more, "ACTIVE", "EVENT")


def test_a_condition_has_its_level_its_type_and_what_tells_it_from_others() -> None:
    inside = f"""<m:Condition><m:Fault dataItemId="c" sequence="3" timestamp="{NOW}" type="SYSTEM" nativeCode="401"
        qualifier="HIGH">Spindle &amp; belt</m:Fault><m:Warning dataItemId="c" sequence="4" timestamp="{NOW}" type="SYSTEM"
        nativeCode="12" conditionId="x"/><m:Unavailable dataItemId="d" sequence="5" timestamp="{NOW}" type="LOAD"/></m:Condition>"""
    fault, warning, gone = read(inside).observations
    assert (fault.level, fault.type, fault.code, fault.native_code, fault.text) == ("FAULT", "SYSTEM", "401", "401", "Spindle & belt")  # fmt: skip
    assert (warning.level, warning.code, warning.native_code) == ("WARNING", "x", "12")
    assert fault.available
    assert not gone.available


def test_sets_and_tables_are_entries_by_key() -> None:
    inside = f"""<m:Events><m:VariableDataSet dataItemId="v" sequence="3" timestamp="{NOW}" count="2" resetTriggered="NEW">
        <m:Entry key="a">1</m:Entry><m:Entry key="b" removed="true"/></m:VariableDataSet>
        <m:ToolTable dataItemId="t" sequence="4" timestamp="{NOW}" count="1"><m:Entry key="T1"><m:Cell key="length">12.5</m:Cell>
        <m:Cell key="side">left</m:Cell></m:Entry></m:ToolTable>
        <m:VariableDataSet dataItemId="v" sequence="5" timestamp="{NOW}" count="0">UNAVAILABLE</m:VariableDataSet></m:Events>"""
    variables, tools, gone = read(inside).observations
    assert (variables.cells, variables.reset) == ((Cell("a", "1"), Cell("b", None)), "NEW")
    assert tools.cells == (Cell("T1.length", "12.5"), Cell("T1.side", "left"))
    assert (gone.cells, gone.available) == ((), False)


def test_one_bad_observation_does_not_spoil_its_document() -> None:
    inside = f"""<m:Samples><m:Load dataItemId="l" sequence="3" timestamp="yesterday">1</m:Load><m:Load dataItemId="l"
        timestamp="{NOW}">2</m:Load><m:Load sequence="4" timestamp="{NOW}">3</m:Load><m:Load dataItemId="l" sequence="5"
        timestamp="1970-01-01T00:00:00Z">4</m:Load><m:Load dataItemId="l" sequence="6" timestamp="{NOW}">5</m:Load></m:Samples>"""
    document = read(inside)
    assert [observation.text for observation in document.observations] == ["5"]
    assert [bad.reason for bad in document.bad] == ["bad_time", "bad_observation", "bad_observation", "bad_time"]
    assert b"yesterday" in document.bad[0].payload


def test_an_observation_that_stands_elsewhere_is_told() -> None:
    inside = f'<m:Conditions><m:System dataItemId="s" sequence="3" timestamp="{NOW}">NORMAL</m:System></m:Conditions>'
    assert [(bad.item, bad.reason) for bad in read(inside).bad] == [("s", "bad_observation")]


@pytest.mark.parametrize("version", ["1.0", "1.8", "2.6"])
def test_devices_have_their_items_at_any_depth(version: str) -> None:
    document = parse(
        f"""<?xml version="1.0"?><!-- by hand --><MTConnectDevices xmlns="urn:mtconnect.org:MTConnectDevices:{version}"
        xmlns:x="urn:maker"><Header version="{version}" instanceId="1"/><Devices><Device id="d" name="Mill" uuid="000"><DataItems>
        <DataItem id="avail" category="EVENT" type="AVAILABILITY"/></DataItems><Components><x:Pump id="p"><DataItems><DataItem
        id="q" name="flow" category="SAMPLE" type="x:FLOW" units="LITER" representation="TIME_SERIES" sampleRate="10"/>
        </DataItems></x:Pump></Components></Device><Agent id="a" name="agent" uuid="111"/></Devices></MTConnectDevices>""".encode()
    )
    assert isinstance(document, Devices)
    mill, agent = document.devices
    assert (mill.name, mill.uuid, mill.kind, agent.kind) == ("Mill", "000", "Device", "Agent")
    assert [(item.id, item.component, item.rate) for item in mill.items] == [
        ("avail", "Mill", None),
        ("q", "Pump", 10.0),
    ]


@pytest.mark.parametrize(
    "inside",
    [
        '<Error errorCode="OUT_OF_RANGE">too old</Error>',
        '<Errors><Error errorCode="OUT_OF_RANGE">too old</Error></Errors>',
        '<Errors><OutOfRange errorCode="OUT_OF_RANGE"><ErrorMessage>too old</ErrorMessage></OutOfRange></Errors>',
    ],
)
def test_errors_are_read_as_each_version_writes_them(inside: str) -> None:
    document = parse(f'<MTConnectError><Header instanceId="1"/>{inside}</MTConnectError>'.encode())
    assert isinstance(document, Errors)
    assert document.errors == (("OUT_OF_RANGE", "too old"),)


BOMB = b'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY c "&a;&a;&a;&a;">]><MTConnectStreams><Header/>&c;</MTConnectStreams>'
OUTSIDE = b'<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/hostname">]><MTConnectStreams><Header/>&a;</MTConnectStreams>'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "bad_xml"),
        (b"<html>", "bad_xml"),
        (b"<html/>", "bad_document"),
        (b"<MTConnectStreams/>", "bad_document"),
        (streams("")[:200], "bad_xml"),
        (BOMB, "bad_xml"),
        (OUTSIDE, "bad_xml"),
        (b"<a>" * 5_000, "bad_xml"),
        (streams("\x01"), "bad_xml"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "bad_xml"),
    ],
)
def test_what_is_no_document_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(BadDocument) as caught:
        parse(data)
    assert caught.value.reason == reason


def test_a_header_is_read_though_what_follows_cannot_be() -> None:
    header = header_of(
        streams(f'<m:Events><m:Message dataItemId="m" sequence="4" timestamp="{NOW}">\x01</m:Message></m:Events>')
    )
    assert header is not None
    assert (header.instance, header.first, header.next) == (7, 2, 9)
    for data in (b"", b"<html/>", BOMB, streams("")[:90], b"<MTConnectError><Header/></MTConnectError>", b"\xff" * 99):
        assert header_of(data) is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_document_that_is_hurt_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(
        streams(f'<m:Events><m:Block dataItemId="b" sequence="4" timestamp="{NOW}">G0</m:Block></m:Events>')
    )
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(whole) - 1))
        whole[begin : begin + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        document = parse(bytes(whole))
    except BadDocument:
        return
    assert isinstance(document, Streams)
