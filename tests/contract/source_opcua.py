"""An OPC UA server with a history, and values as no type allows them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncua import Server, ua
from hypothesis import strategies as st

from connectors.opcua.codec import decode, moment
from tests.contract.sources import ALSO, PATH
from uns.runtime.ports import free_port
from uns.testing import Codec, connector_contract, patient
from uns.testing.source import T0
from uns.testing.text import NUMBERS, TEXTS


@dataclass
class OpcUaSource:
    server: Server
    config: dict[str, Any]
    path = PATH
    also = ALSO
    asks_again = True  # by history

    async def say(self, tag: str, at: int, value: object) -> None:
        kind = {
            bool: ua.VariantType.Boolean,
            int: ua.VariantType.Int64,
            float: ua.VariantType.Double,
            str: ua.VariantType.String,
        }[type(value)]
        data = ua.DataValue(ua.Variant(value, kind), SourceTimestamp=moment(at), ServerTimestamp=moment(at))
        await self.server.write_attribute_value(ua.NodeId(f"filler.{tag}", 2), data)

    async def babble(self) -> None:
        """An array with more parts than a value may have."""
        data = ua.DataValue(ua.Variant(["a"] * 65, ua.VariantType.String), SourceTimestamp=moment(T0))
        await self.server.write_attribute_value(ua.NodeId("filler.Name", 2), data)

    async def vanish(self) -> None:
        await self.server.stop()


@asynccontextmanager
async def opcua() -> AsyncIterator[OpcUaSource]:
    port = free_port()
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("urn:test")
    machine = await server.nodes.objects.add_object(ua.NodeId("filler", 2), ua.QualifiedName("filler", 2))
    variables = []
    for tag, value in (
        ("State", ua.Variant(0, ua.VariantType.Int64)),
        ("Speed", ua.Variant(0.0)),
        ("Name", ua.Variant("")),
    ):
        variables.append(await machine.add_variable(ua.NodeId(f"filler.{tag}", 2), ua.QualifiedName(tag, 2), value))
    await server.start()
    await server.historize_node_data_change(variables, period=timedelta(days=36500), count=10_000)
    config = {
        "url": f"opc.tcp://127.0.0.1:{port}",
        "publish_interval_ms": 20,
        "timeout_s": patient(2),
        "machines": [{"path": str(PATH), "node": "ns=2;s=filler"}],
    }
    try:
        yield OpcUaSource(server, config)
    finally:
        await server.stop()


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


CONTRACT = connector_contract(
    "opcua",
    lambda _request: opcua(),
    Codec(VALUES, lambda value: [part.said for part in decode(PATH, "Tag", "ns=2;s=Tag", value)]),
)
