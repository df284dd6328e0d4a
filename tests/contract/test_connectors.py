"""The contract of connectors over ours, and that every registered one is held to it."""

import json
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from xml.sax.saxutils import quoteattr

import pytest
from asyncua import ua
from hypothesis import strategies as st

from connectors.base import Said
from connectors.ethernetip.codec import decode as decode_tag
from connectors.ethernetip.wanted import Wanted
from connectors.files.codec import BadHeader, TextDecoder
from connectors.files.config import FileSet
from connectors.files.lines import records
from connectors.http import codec as http_codec
from connectors.http.config import Lines
from connectors.kit.message import FACTS
from connectors.modbus.codec import decode as decode_registers
from connectors.modbus.config import ModbusConfig
from connectors.mqtt.codec import Decoder
from connectors.mqtt.config import Subscription
from connectors.opcua.codec import decode
from connectors.s7.blocks import Span
from connectors.s7.codec import decode as decode_bytes
from connectors.s7.config import S7Config
from connectors.sql.config import Query
from connectors.sql.mark import BadMark
from connectors.sql.reader import Answer, QueryReader
from tests.contract.messages_sparkplug import SPARKPLUG_MESSAGES, sparkplug_said
from tests.contract.source_ethernetip import ethernetip
from tests.contract.source_files import files
from tests.contract.source_http import http
from tests.contract.source_kafka import RECORDS, kafka_source
from tests.contract.source_kafka import said_of as said_of_record
from tests.contract.source_modbus import REGISTER_MAP, modbus
from tests.contract.source_mtconnect import mtconnect, readings_of
from tests.contract.source_s7 import ADDRESSES, TAGS, s7
from tests.contract.source_sparkplug import sparkplug
from tests.contract.source_sql import sql
from tests.contract.sources import PATH, mqtt, opcua
from topology.namespace.path import Level
from uns.model.components import CONNECTORS, UnknownComponent, connector_spec, names
from uns.testing import Codec, ConnectorContract, Source, connector_contract
from uns.testing.connectors import T0
from uns.testing.text import NUMBERS, TEXTS, json_documents

MQTT = Decoder(
    [
        Subscription.model_validate({"topic": f"+/+/{kind}", "path": "acme/dallas/{0}/{1}", "payload": kind})
        for kind in ("samples", *FACTS)
    ]
)
KEYS = tuple(sorted({"values", "samples", "tag", "at", "value", "quality", "breaks", *(name for kind in FACTS.values() for name in kind.__struct_fields__)}))  # fmt: skip
DOCUMENTS = json_documents(KEYS).map(lambda document: json.dumps(document).encode())
TOPICS = st.sampled_from([f"packaging/line-1/{kind}" for kind in ("samples", *FACTS)]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=20
)
FIELDS = st.dictionaries(st.sampled_from(KEYS), NUMBERS | TEXTS | st.just("2026-11-23T06:00:00Z"), max_size=8)
MESSAGES = st.tuples(
    TOPICS,
    st.binary(max_size=60)
    | DOCUMENTS
    | FIELDS.map(lambda fields: json.dumps(fields).encode())
    | DOCUMENTS.map(lambda payload: payload.decode().encode("utf-16"))
    | FIELDS.map(lambda fields: json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")),
)
_UA: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | NUMBERS
    | TEXTS
    | st.binary(max_size=9)
    | st.lists(st.integers() | st.floats() | st.lists(TEXTS, max_size=2), max_size=3)
    | st.builds(ua.Range, NUMBERS, NUMBERS)
    | st.datetimes(datetime(1601, 1, 1))
    | st.builds(UUID, int=st.integers(0, 2**128 - 1))
    | st.builds(ua.LocalizedText, TEXTS)
    | st.builds(ua.QualifiedName, TEXTS, st.integers(0, 9))
    | st.builds(ua.NodeId, TEXTS | st.integers(0, 9) | st.binary(max_size=4), st.integers(0, 9))
)
_TIMES = st.none() | st.datetimes(datetime(1601, 1, 1))
VALUES = st.builds(
    lambda value, code, source, server: ua.DataValue(
        _variant(value), StatusCode=ua.StatusCode(ua.UInt32(code)), SourceTimestamp=source, ServerTimestamp=server
    ),
    _UA,
    st.integers(0, 2**32 - 1),
    _TIMES,
    _TIMES,
)


def _variant(value: Any) -> ua.Variant:
    """A variant as the wire gives it: asyncua checks what we write, and not what it reads."""
    variant = ua.Variant()
    object.__setattr__(variant, "Value", value)
    return variant


def _mqtt(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Source]:
    return mqtt(request.getfixturevalue("mqtt_broker"), request.getfixturevalue("enterprise"))


TestMqtt = connector_contract("mqtt", _mqtt, Codec(MESSAGES, lambda message: MQTT.decode(*message)))
TestOpcUa = connector_contract(
    "opcua",
    lambda _request: opcua(),
    Codec(VALUES, lambda value: [part.said for part in decode(PATH, "Tag", "ns=2;s=Tag", value)]),
)


def _http(message: tuple[str, bytes, bool]) -> list[Said]:
    kind, body, json_lines = message
    lines = Lines(path="acme/dallas/{measurement}", levels="spelled")
    return [
        *http_codec.decode(kind, PATH, body, 2_000_000_000_000_000, json_lines),
        *http_codec.decode_lines(lines, PATH.at(Level.SITE), body, http_codec.PRECISIONS["ns"], 2_000_000_000_000_000),
    ]


LINES = st.text(st.sampled_from('ab,= "\\\n#1i.u-eé')).map(str.encode)
TestHttp = connector_contract(
    "http",
    lambda _request: http(),
    Codec(
        st.tuples(st.sampled_from(sorted(http_codec.KINDS)), MESSAGES.map(lambda m: m[1]) | LINES, st.booleans()), _http
    ),
    lambda port: {"url": f"http://203.0.113.1:{port}"},
)
TestEtherNetIp = connector_contract(
    "ethernetip",
    lambda _request: ethernetip(),
    Codec(
        st.tuples(
            st.builds(
                Wanted,
                st.just(PATH),
                st.just("Tag"),
                st.just("Tag"),
                count=st.none() | st.integers(1, 4),
                bit=st.none() | st.integers(0, 63),
                bits=st.booleans(),
            ),
            st.binary(max_size=40)
            | st.tuples(st.sampled_from([*range(0xC1, 0xDB), 0x02A0]), st.binary(max_size=40)).map(
                lambda parts: parts[0].to_bytes(2, "little") + parts[1]
            ),
        ),
        lambda answer: decode_tag(answer[0], answer[1], T0, "plc", "utf-8"),
    ),
    away=lambda port: {
        "plcs": [{"url": f"tcp://127.0.0.1:{port}", "machines": [{"path": str(PATH), "tags": {"A": {}}}]}]
    },
)
S7 = S7Config.model_validate(ADDRESSES)
TestS7 = connector_contract(
    "s7",
    lambda _request: s7(),
    Codec(
        st.tuples(st.sampled_from([point for _, point in S7.points(S7.plcs[0])]), st.binary(max_size=40)),
        lambda answer: decode_bytes(Span("DB", 1, 2, 8, (answer[0],)), answer[1], T0, "plc", "utf-8", None),
    ),
    away=lambda port: {"plcs": [{"url": f"tcp://127.0.0.1:{port}", "machines": [{"path": str(PATH), "tags": TAGS}]}]},
)
REGISTERS = ModbusConfig.model_validate(REGISTER_MAP)
TestModbus = connector_contract(
    "modbus",
    lambda _request: modbus(),
    Codec(
        st.tuples(
            st.sampled_from(REGISTERS.points(REGISTERS.links[0].devices[0])),
            st.integers(0, 20),
            st.lists(st.integers(0, 0xFFFF) | st.sampled_from([0, 0x7FC0, 0x8000, 0xFFFF]), max_size=40),
        ),
        lambda answer: decode_registers(answer[0], answer[1], answer[2], T0, "unit 1"),
    ),
    lambda port: {"links": [{"url": f"tcp://127.0.0.1:{port}", "devices": [{"path": str(PATH), "tags": {"A": {"address": 0}}}]}]},
)  # fmt: skip

TestSparkplug = connector_contract(
    "sparkplug",
    lambda request: sparkplug(request.getfixturevalue("mqtt_broker"), request.getfixturevalue("enterprise")),
    Codec(SPARKPLUG_MESSAGES, sparkplug_said),
    lambda port: {"brokers": [{"url": f"mqtt://127.0.0.1:{port}"}]},
)


_ATTRIBUTES = st.sampled_from(["dataItemId", "sequence", "timestamp", "nativeCode", "sampleRate", "sampleCount", "resetTriggered", "removed", "key"])  # fmt: skip
_ATTRIBUTE_VALUES = st.sampled_from(["Mill-State", "Mill-Alarm", "Mill-Speed", "1", "2026-11-23T06:00:00Z", "1e-9", "true", "DAY"])  # fmt: skip
OBSERVATIONS = st.builds(
    lambda element, attributes, text: f"<{element} {' '.join(f'{k}={quoteattr(v)}' for k, v in attributes.items())}>{text}</{element}>",
    st.sampled_from(["PartCount", "Fault", "Normal", "Weird", "RotaryVelocityTimeSeries", "VariableDataSet", "ToolTable", "Entry"]),
    st.dictionaries(_ATTRIBUTES, _ATTRIBUTE_VALUES | TEXTS.map(lambda text: text.encode("utf-8", "replace").decode()), max_size=7),
    st.sampled_from(["UNAVAILABLE", "1 2 3", "1e999", "99999999999999999999", "", '<Entry key="a">1</Entry>', '<Entry key="b" removed="true"/>', "&lt;"]),
)  # fmt: skip
TestMtConnect = connector_contract(
    "mtconnect",
    lambda _request: mtconnect(),
    Codec(st.binary(max_size=60) | st.lists(st.tuples(st.sampled_from(["Samples", "Events", "Condition"]), OBSERVATIONS), max_size=5), readings_of),
    lambda port: {"agents": [{"url": f"http://127.0.0.1:{port}", "machines": [{"path": str(PATH)}]}]},
)  # fmt: skip


def _file(content: tuple[str, bytes]) -> list[Said]:
    format_, data = content
    shape = {"pattern": "*", "format": format_, "path": "acme/dallas/{line}", "levels": "spelled", "at": "at"}
    decoder = TextDecoder(FileSet.model_validate({**shape, "quality": "quality"}), "folder/file.csv")
    try:
        begun = decoder.begin(data, last=True)
    except BadHeader:
        return []
    found = records(data[begun[0] :], decoder.text, last=True) if begun else ()
    return [thing for record in found for thing in decoder.said(record, 1)]


CELLS = st.sampled_from(["1", "-1,5", "1e3", "x", "", "2026-11-23T06:00:00Z", '"', '"a,b"', "good", "12", "\n", "\0"])
TABLES = st.lists(st.lists(CELLS, min_size=3, max_size=5), max_size=5).map(
    lambda rows: b"line,at,quality,State,Speed\n" + "\n".join(",".join(row) for row in rows).encode()
)
TestFiles = connector_contract(
    "files",
    lambda request: files(request.getfixturevalue("tmp_path")),
    Codec(st.tuples(st.sampled_from(["csv", "json_lines"]), TABLES | MESSAGES.map(lambda m: m[1])), _file),
    lambda port: {"folder": f"/no/such/folder/{port}"},
)

ROWS = st.lists(
    st.tuples(
        st.integers(), *(4 * [st.none() | NUMBERS | TEXTS | st.binary(max_size=4) | st.datetimes() | st.decimals()])
    ),
    max_size=4,
)


def _rows(message: tuple[str, list[tuple[Any, ...]]]) -> list[Said]:
    kind, rows = message
    shape = {"name": "q", "table": "t", "watermark": "id", "key": ["id"], "row": kind, "path": "acme/dallas/{line}"}
    query = Query.model_validate(shape | ({"at": "at", "quality": "quality"} if kind == "wide" else {}))
    reader = QueryReader(query, None)
    reader.begin()
    try:
        page = reader.take(Answer(("id", "line", "at", "quality", "value"), rows), datetime(2026, 11, 23, tzinfo=UTC))
    except BadMark:
        return []
    return [thing for part in page.parts for thing in part.said]


TestSql = connector_contract(
    "sql",
    lambda request: sql(request.getfixturevalue("tmp_path")),
    Codec(st.tuples(st.sampled_from(["wide", *FACTS]), ROWS), _rows),
    lambda port: {"url": f"postgresql://127.0.0.1:{port}/mes", "password_file": None},
)


TestKafka = connector_contract(
    "kafka",
    lambda request: kafka_source(request.getfixturevalue("kafka"), request.getfixturevalue("enterprise")),
    Codec(RECORDS, said_of_record),
    lambda port: {"bootstrap": f"127.0.0.1:{port}", "timeout_s": 1},
)


def test_every_registered_connector_is_held_to_the_contract() -> None:
    held = {suite.protocol for suite in globals().values() if isinstance(suite, type) and issubclass(suite, ConnectorContract) and suite is not ConnectorContract}  # fmt: skip
    assert held == set(names(CONNECTORS)), "add a line for it, and its real source to tests/contract/sources.py"


def test_an_unknown_protocol_is_told_the_nearest() -> None:
    with pytest.raises(UnknownComponent, match="did you mean 'opcua'"):
        connector_spec("opcau")
