"""Servers as they are: limits, nodes that are not there, subscriptions that die, names that come twice, clocks that lie."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from asyncua import Server, ua
from asyncua.client.ua_client import UaClient

from connectors.base import Batch, Reading, Resume, Safe, SourceUnavailable
from connectors.opcua import retry
from connectors.opcua.codec import moment
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connector import OpcUaConnector
from schemas.records import Sample
from topology.namespace.path import Path
from uns.runtime.ports import free_port
from uns.testing.patience import patient
from uns.testing.source import T0

FILLER, CAPPER = "acme/dallas/packaging/line-1/filler", "acme/dallas/packaging/line-1/capper"
MAKER = "urn:maker"


@dataclass
class Plant:
    """A server with two machines and an order number of the line."""

    server: Server
    url: str
    namespace: int
    nodes: dict[str, Any] = field(default_factory=dict)

    async def write(self, name: str, value: object, at: int | datetime | None, server_at: int | None = None) -> None:
        kind = {int: ua.VariantType.Int64, str: ua.VariantType.String, float: ua.VariantType.Double}[type(value)]
        source = moment(at) if isinstance(at, int) else at
        data = ua.DataValue(
            ua.Variant(value, kind),
            SourceTimestamp=source,
            ServerTimestamp=None if server_at is None else moment(server_at),
        )
        await self.server.write_attribute_value(self.nodes[name].nodeid, data)

    def connector(self, *machines: dict[str, Any], **more: Any) -> OpcUaConnector:
        config = {"url": self.url, "publish_interval_ms": 20, "timeout_s": 3, "machines": list(machines), **more}
        return OpcUaConnector("test", OpcUaConfig.model_validate(config))


@asynccontextmanager
async def plant(before: tuple[str, ...] = ()) -> AsyncIterator[Plant]:
    port = free_port()
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for uri in before:
        await server.register_namespace(uri)
    ns = await server.register_namespace(MAKER)
    one = Plant(server, f"opc.tcp://127.0.0.1:{port}", ns)
    for machine in ("filler", "capper"):
        folder = await server.nodes.objects.add_object(ua.NodeId(machine, ns), ua.QualifiedName(machine, ns))
        one.nodes[machine] = folder
        for tag in ("State", "Good"):
            name = f"{machine}.{tag}"
            variant = ua.Variant(0, ua.VariantType.Int64)
            one.nodes[name] = await folder.add_variable(ua.NodeId(name, ns), ua.QualifiedName(tag, ns), variant)
    line = ua.NodeId("line", ns)
    one.nodes["Order"] = await server.nodes.objects.add_variable(line, ua.QualifiedName("Order", ns), "A-1")
    await server.start()
    try:
        yield one
    finally:
        await server.stop()


async def read(
    connector: OpcUaConnector, enough: Callable[[list[tuple[str, Sample]]], bool], say: Awaitable[None] | None = None
) -> list[tuple[str, Sample]]:
    """(machine, sample) as they come, until there are enough."""
    told: list[tuple[str, Sample]] = []
    stream: Any = connector.batches()
    async with asyncio.timeout(patient(20)), aclosing(stream):
        if say is not None:
            await say
        while not enough(told):
            batch: Batch = await anext(stream)
            assert not batch.malformed
            told += [(str(reading.path).rpartition("/")[2], reading.sample) for reading in batch.readings]
    return told


def run(test: Callable[[Plant], Awaitable[None]], before: tuple[str, ...] = ()) -> None:
    async def go() -> None:
        async with plant(before) as one:
            await test(one)

    asyncio.run(go())


def test_one_node_feeds_any_number_of_tags() -> None:
    async def test(one: Plant) -> None:
        order = f"nsu={MAKER};s=line"
        connector = one.connector(
            {"path": FILLER, "tags": {"Order": order, "Job": order}}, {"path": CAPPER, "tags": {"Order": order}}
        )
        await connector.open({})
        wanted = {("filler", "Order"), ("filler", "Job"), ("capper", "Order")}

        def enough(told: list[tuple[str, Sample]]) -> bool:
            return wanted <= {(machine, sample.tag) for machine, sample in told if sample.value == "B-7"}

        await read(connector, enough, one.write("Order", "B-7", T0))
        await connector.close()

    run(test)


def test_a_node_and_a_machine_that_are_not_there_are_named_and_the_rest_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_S", (0.1, 0.1))

    async def test(one: Plant) -> None:
        connector = one.connector(
            {"path": FILLER, "tags": {"State": "ns=2;s=filler.State", "Later": "ns=2;s=later"}},
            {"path": CAPPER, "node": "ns=2;s=later.machine"},
        )
        await connector.open({})
        told = await read(
            connector,
            lambda told: any(sample.value == 6 for _, sample in told) and any(s.tag == "Later" for _, s in told),
            one.write("filler.State", 6, T0),
        )
        (later,) = [sample for _, sample in told if sample.tag == "Later"]
        assert (later.value, later.quality) == (None, ua.StatusCodes.BadNodeIdUnknown), "known to be unknown"
        problems = " ".join(connector.problems())
        assert "1 of 2 variables are not read" in problems
        assert "filler Later (ns=2;s=later): BadNodeIdUnknown" in problems
        assert f"{CAPPER}: no variables below ns=2;s=later.machine (BadNodeId" in problems
        assert connector.healthy()
        objects = one.server.nodes.objects
        await objects.add_variable(ua.NodeId("later", 2), ua.QualifiedName("Later", 2), 1)
        machine = await objects.add_object(ua.NodeId("later.machine", 2), ua.QualifiedName("m", 2))
        await machine.add_variable(ua.NodeId("m.Speed", 2), ua.QualifiedName("Speed", 2), 1.5)

        def there(told: list[tuple[str, Sample]]) -> bool:
            return {("filler", "Later", 1), ("capper", "Speed", 1.5)} <= {(m, s.tag, s.value) for m, s in told}

        await read(connector, there)
        assert not connector.problems()
        await connector.close()

    run(test)


def test_a_limit_of_nodes_a_call_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes two items a call and says three: what it says is a beginning, what it refuses teaches."""
    calls: list[int] = []
    plain = UaClient.create_monitored_items

    async def limited(self: UaClient, params: ua.CreateMonitoredItemsParameters) -> Any:
        calls.append(len(params.ItemsToCreate))
        if len(params.ItemsToCreate) > 2:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
        return await plain(self, params)

    monkeypatch.setattr(UaClient, "create_monitored_items", limited)

    async def test(one: Plant) -> None:
        limit = ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall
        await one.server.get_node(ua.NodeId(limit, 0)).write_value(ua.UInt32(3), ua.VariantType.UInt32)
        connector = one.connector({"path": FILLER, "node": "ns=2;s=filler"}, {"path": CAPPER, "node": "ns=2;s=capper"})
        await connector.open({})
        await read(connector, lambda told: len({(m, s.tag) for m, s in told}) == 4)
        assert calls[0] == 3
        assert max(calls[1:]) <= 2
        await connector.close()

    run(test)


def test_a_subscription_that_dies_on_a_live_session_is_noticed() -> None:
    async def test(one: Plant) -> None:
        connector = one.connector({"path": FILLER, "node": "ns=2;s=filler"}, timeout_s=1)
        await connector.open({})
        await read(connector, lambda told: len(told) >= 2)
        service = one.server.iserver.subscription_service
        await service.delete_subscriptions(list(service.subscriptions))  # the server forgets it, and says nothing
        with pytest.raises(SourceUnavailable, match="subscription is silent"):
            await read(connector, lambda _: False)
        assert not connector.healthy()
        await connector.close()

    run(test)


def test_namespaces_are_found_again_where_they_moved() -> None:
    async def test(one: Plant) -> None:
        assert one.namespace == 4
        connector = one.connector({"path": FILLER, "node": f"nsu={MAKER};s=filler"})
        await connector.open({})
        await read(connector, lambda told: {s.tag for _, s in told} == {"State", "Good"})
        await connector.close()
        lost = one.connector({"path": FILLER, "node": "nsu=urn:gone;s=filler"})
        with pytest.raises(SourceUnavailable, match="no namespace urn:gone"):
            await lost.open({})
        await lost.close()

    run(test, before=("urn:first", "urn:second"))


def test_nothing_below_a_node_is_left_out() -> None:
    async def test(one: Plant) -> None:
        other = await one.server.register_namespace("urn:other")
        parent = one.nodes["filler"]
        await parent.add_variable(ua.NodeId("again", other), ua.QualifiedName("State", other), 77)
        for depth in range(9):
            parent = await parent.add_object(ua.NodeId(f"d{depth}", 2), ua.QualifiedName(f"d{depth}", 2))
        deep = await parent.add_variable(ua.NodeId("deep", 2), ua.QualifiedName("Deep", 2), 1.5)
        await deep.add_variable(ua.NodeId("below", 2), ua.QualifiedName("Below", 2), 2.5)
        await deep.add_property(ua.NodeId("unit", 2), ua.QualifiedName("Unit", 2), "mm")
        connector = one.connector({"path": FILLER, "node": "ns=2;s=filler"})
        await connector.open({})
        far = ".".join(f"d{depth}" for depth in range(9))
        wanted = {"State", "Good", "State@urn:other", f"{far}.Deep", f"{far}.Deep.Below"}
        told = await read(connector, lambda told: wanted <= {s.tag for _, s in told})
        assert {s.tag for _, s in told} == wanted, "a property of a variable is none"
        await connector.close()

    run(test)


def test_a_time_that_is_none_falls_back_to_the_servers_then_to_the_arrival() -> None:
    async def test(one: Plant) -> None:
        connector = one.connector({"path": FILLER, "tags": {"State": "ns=2;s=filler.State"}})
        await connector.open({})
        never = datetime(1601, 1, 1)
        told = await read(
            connector,
            lambda told: any(s.value == 1 for _, s in told),
            one.write("filler.State", 1, never, server_at=T0),
        )
        assert told[-1][1].at == T0
        await connector.close()

    run(test)


def test_a_present_value_with_an_old_time_is_told_after_a_reopen_if_it_differs() -> None:
    async def test(one: Plant) -> None:
        await one.write("filler.State", 5, T0, server_at=T0 + 10**9)
        await one.write("filler.Good", 7, T0, server_at=T0)
        known: Resume = {
            (Path.parse(FILLER), "State"): Safe(T0 + 5_000_000, 6, 0),
            (Path.parse(FILLER), "Good"): Safe(T0 + 5_000_000, 7, 0),
        }
        connector = one.connector({"path": FILLER, "node": "ns=2;s=filler"}, history=False)
        await connector.open(known)
        ((_, state),) = await read(connector, lambda told: len(told) == 1)
        assert (state.tag, state.value) == ("State", 5)
        assert state.at > T0 + 5_000_000, "it is the value of now, not of then"
        await connector.close()

    run(test)


def test_history_never_holds_back_what_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()
    plain = UaClient.history_read

    async def slow(self: UaClient, params: ua.HistoryReadParameters) -> Any:
        await gate.wait()
        return await plain(self, params)

    monkeypatch.setattr(UaClient, "history_read", slow)

    async def test(one: Plant) -> None:
        await one.server.historize_node_data_change([one.nodes["filler.Good"]], period=None, count=1000)
        for n in range(1, 6):
            await one.write("filler.Good", n, T0 + n * 1000)
        place = (Path.parse(FILLER), "Good")
        connector = one.connector({"path": FILLER, "tags": {"Good": "ns=2;s=filler.Good"}})
        await connector.open({place: Safe(T0 + 1000, 1, 0)})
        stream: Any = connector.batches()
        live: list[Reading] = []
        missed: list[Reading] = []
        caught_up: Resume = {}
        async with asyncio.timeout(patient(20)), aclosing(stream):
            for n in (6, 7):
                await one.write("filler.Good", n, T0 + n * 1000)
            while not any(reading.sample.value == 7 for reading in live):
                live += (await anext(stream)).readings
            gate.set()
            while not caught_up:
                batch = await anext(stream)
                missed += batch.readings
                caught_up = dict(batch.reached)
        assert [reading.sample.value for reading in live] == [5, 6, 7]
        assert all(reading.ahead for reading in live)
        assert [reading.sample.value for reading in missed] == [2, 3, 4]
        assert not any(reading.ahead for reading in missed)
        assert caught_up == {place: Safe(T0 + 7000, 7, 0)}
        await connector.close()

    run(test)
