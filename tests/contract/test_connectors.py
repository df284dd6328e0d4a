"""The contract of connectors over ours, and that every registered one is held to it."""

import json
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from asyncua import ua
from hypothesis import strategies as st

from connectors.mqtt.codec import FACTS, Decoder
from connectors.mqtt.config import Subscription
from connectors.opcua.codec import decode
from tests.contract.sources import PATH, mqtt, opcua
from uns.model.components import CONNECTORS, UnknownComponent, connector_spec, names
from uns.testing import Codec, ConnectorContract, Source, connector_contract
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
    | st.lists(st.integers(), max_size=3)
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
    "opcua", lambda _request: opcua(), Codec(VALUES, lambda value: [decode(PATH, "Tag", "ns=2;s=Tag", value)])
)


def test_every_registered_connector_is_held_to_the_contract() -> None:
    held = {suite.protocol for suite in globals().values() if isinstance(suite, type) and issubclass(suite, ConnectorContract) and suite is not ConnectorContract}  # fmt: skip
    assert held == set(names(CONNECTORS)), "add a line for it, and its real source to tests/contract/sources.py"


def test_an_unknown_protocol_is_told_the_nearest() -> None:
    with pytest.raises(UnknownComponent, match="did you mean 'opcua'"):
        connector_spec("opcau")
