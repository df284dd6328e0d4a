"""Alarms and conditions: the rule by example and against a plain model of it, and a server that is restarted or overrun."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import Server, ua, uamethod
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Reading, Resume, Safe, Span
from connectors.opcua import notifiers
from connectors.opcua.alarms import DISABLED, FIELDS, LEVELS, NO_DATA, WORST, Alarms, Event, event_of
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connector import OpcUaConnector
from schemas.records import GOOD
from topology.namespace.path import Path
from uns.runtime.ports import free_port
from uns.testing.patience import patient
from uns.testing.source import T0

PATH = Path.parse("acme/dallas/packaging/line-1/filler")


def event(number: int = 1, active: bool = True, severity: int = 900, at: int = T0, **more: Any) -> Event:
    whole = {"type": ua.NodeId(2915, 0), "source": "Tank", "time": at, "message": "too high", "severity": severity}
    whole |= {"condition": ua.NodeId(number, 2), "name": f"A{number}", "branch": False, "retain": True, "quality": GOOD}
    return Event(**whole | {"enabled": True, "acked": None, "active": active} | more)


def alarms(*sources: str) -> Alarms:
    return Alarms(PATH, sources, 667)


def plain(readings: list[Reading]) -> dict[str, Any]:
    """Without the parts."""
    return {r.sample.tag: r.sample.value for r in readings if not r.sample.tag.endswith((".Severity", ".Message", ".Acked"))}  # fmt: skip


def test_the_worst_and_the_latest_of_a_machine() -> None:
    one = alarms()
    assert plain(one.said(event(1, severity=500), T0)) == {"Alarms.Tank.A1": "WARNING", WORST: "WARNING Tank.A1"}
    assert plain(one.said(event(2, at=T0 + 1), T0)) == {"Alarms.Tank.A2": "FAULT", WORST: "FAULT Tank.A2"}
    assert plain(one.said(event(3, severity=1, at=T0 + 2), T0)) == {"Alarms.Tank.A3": "WARNING"}, "not worse"
    assert plain(one.said(event(2, active=False, at=T0 + 3), T0)) == {"Alarms.Tank.A2": "NORMAL", WORST: "WARNING Tank.A3"}  # fmt: skip
    told = one.said(event(3, active=False, at=T0 + 4, acked=True), T0)
    assert {r.sample.tag.rpartition(".")[2]: r.sample.value for r in told[1:4]} == {"Acked": True, "Severity": 900, "Message": "too high"}  # fmt: skip


def test_what_is_no_present_state_of_a_condition() -> None:
    one = alarms("Tank*")
    assert one.said(event(condition=None), T0) == []
    assert one.said(event(branch=True), T0) == []
    assert not one.mine(event(source="Mixer"))
    assert one.mine(event(source="Tank 7"))
    off = one.said(event(enabled=False), T0)[0].sample
    assert (off.value, off.quality) == (None, DISABLED)
    no_time = one.said(event(time=None), T0 + 9)[0]
    assert (no_time.sample.at, no_time.time_of) == (T0 + 9, "arrival")


def test_two_conditions_of_one_name_are_one_tag_and_over_when_both_are() -> None:
    one = alarms()
    one.said(event(1, name="Jam"), T0)
    one.said(event(2, name="Jam", severity=100), T0)
    assert plain(one.said(event(1, name="Jam", active=False), T0))["Alarms.Tank.Jam"] == "WARNING"
    assert plain(one.said(event(2, name="Jam", active=False), T0))["Alarms.Tank.Jam"] == "NORMAL"


def test_what_a_server_cannot_tell_is_unknown() -> None:
    one = alarms()
    one.reopened({(PATH, "Alarms.Tank.A1"): Safe(T0, "FAULT", 0), (PATH, WORST): Safe(T0, "FAULT Tank.A1", 0)})
    assert [(r.sample.tag, r.sample.value, r.sample.quality) for r in one.unknown(T0 + 5)] == [
        ("Alarms.Tank.A1", None, NO_DATA),
        (WORST, None, NO_DATA),
    ]
    assert plain(one.said(event(2, at=T0 + 6), T0 + 6))[WORST] == "FAULT Tank.A2"
    assert alarms().unknown(T0) == []


STEPS = st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(1, 1000)), max_size=30)


@given(STEPS, st.sets(st.integers(1, 4)))
def test_it_is_as_a_plain_model_has_it(steps: list[tuple[int, bool, int]], still: set[int]) -> None:
    one, model, safe = alarms(), dict[str, tuple[int, int]](), dict[tuple[Path, str], Safe]()

    def take(readings: list[Reading]) -> None:
        safe.update({(r.path, r.sample.tag): Safe(r.sample.at, r.sample.value, r.sample.quality) for r in readings})

    def agrees() -> None:
        worst = max(model.items(), key=lambda entry: entry[1], default=None)
        expected = "NORMAL" if worst is None else f"{LEVELS[worst[1][0]]} Tank.{worst[0]}"
        assert WORST not in {tag for _, tag in safe} or safe[PATH, WORST].value == expected
        for name in ("A1", "A2", "A3", "A4"):
            if (told := safe.get((PATH, f"Alarms.Tank.{name}"))) is not None:
                assert told.value == LEVELS[model.get(name, (0, 0))[0]]

    take(one.refreshed(T0, "server"))
    for n, (number, active, severity) in enumerate(steps, 1):
        model.pop(f"A{number}", None)
        if active:
            model[f"A{number}"] = (2 if severity >= 667 else 1, T0 + n)
        take(one.said(event(number, active, severity, T0 + n), T0))
        agrees()
    for again in (one, alarms()):  # the link was lost; the process died
        again.reopened(dict(safe))
        again.refreshing()
        over, kept = T0 + 1000, {name: it for name, it in model.items() if int(name[1:]) in still}
        before = dict(safe)
        for name, (level, at) in kept.items():
            take(again.said(event(int(name[1:]), True, 900 if level == 2 else 100, at), T0))
        assert all(safe[PATH, f"Alarms.Tank.{name}"] == before[PATH, f"Alarms.Tank.{name}"] for name in kept), "no news"
        take(again.refreshed(over, "server"))
        model = kept
        agrees()


RAW = st.one_of(st.none(), st.integers(-(2**62), 2**62), st.text(), st.binary(), st.booleans(), st.datetimes(), st.lists(st.integers()))  # fmt: skip


@given(st.lists(RAW, max_size=20))
def test_any_fields_are_an_event(raw: list[Any]) -> None:
    one = event_of([ua.Variant() if value is None else ua.Variant(value, ua.VariantType.Variant) for value in raw])
    for reading in alarms().said(one._replace(condition=ua.NodeId(1, 2)), T0):
        reading.sample.tag.encode()


# -- a server ---------------------------------------------------------------------------------------------------


@dataclass
class Tank:
    """A server with alarms of one tank, which tells what is active when it is asked."""

    server: Server
    url: str
    refreshes: bool = True
    active: dict[str, datetime] = field(default_factory=dict)
    generator: Any = None
    signals: dict[int, Any] = field(default_factory=dict)

    async def say(self, name: str, active: bool, at: datetime | None = None) -> None:
        its = self.generator.event
        its.ConditionName, its.NodeId, its.Severity = name, ua.NodeId(name, 2), 900
        its.Retain = active
        for state, on in (("EnabledState/Id", True), ("ActiveState/Id", active), ("AckedState/Id", False)):
            setattr(its, state, on)
            its.data_types[state] = ua.VariantType.Boolean
        at = at or datetime.now(UTC)
        if active:
            self.active[name] = at
        else:
            self.active.pop(name, None)
        await self.generator.trigger(at, f"{name} of the tank")

    async def refresh(self, _subscription: int) -> None:
        await self.signals[ua.ObjectIds.RefreshStartEventType].trigger()
        for name, at in list(self.active.items()):
            await self.say(name, True, at)
        await self.signals[ua.ObjectIds.RefreshEndEventType].trigger()

    def connector(self) -> OpcUaConnector:
        machine = {"path": str(PATH), "alarms": "i=2253", "alarm_sources": ["Serv*"]}
        config = {"url": self.url, "publish_interval_ms": 20, "timeout_s": 3, "machines": [machine]}
        return OpcUaConnector("test", OpcUaConfig.model_validate(config))


@asynccontextmanager
async def tank(url: str, refreshes: bool = True, active: dict[str, datetime] | None = None) -> AsyncIterator[Tank]:
    server = Server()
    await server.init()
    server.set_endpoint(url)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    one = Tank(server, url, active=dict(active or {}))
    one.generator = await server.get_event_generator(ua.ObjectIds.AlarmConditionType)
    for number in (ua.ObjectIds.RefreshStartEventType, ua.ObjectIds.RefreshEndEventType):
        one.signals[number] = await server.get_event_generator(number)

    @uamethod  # type: ignore[untyped-decorator]
    async def refresh(_parent: Any, subscription: int) -> None:
        await one.refresh(subscription)

    if refreshes:
        server.link_method(server.get_node(ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh, 0)), refresh)
    await server.start()
    try:
        yield one
    finally:
        await server.stop()


class Heard:
    """What a connector tells, and what of it is safe."""

    def __init__(self) -> None:
        self.safe: dict[tuple[Path, str], Safe] = {}
        self.told: list[tuple[str, Any]] = []
        self.missed: dict[tuple[Path, str], Span] = {}
        self._news = asyncio.Event()

    @property
    def now(self) -> dict[str, Any]:
        return {tag: safe.value for (_, tag), safe in self.safe.items() if tag.count(".") in (0, 2)}

    async def read(self, connector: OpcUaConnector) -> None:
        stream: Any = connector.batches()
        async with aclosing(stream):
            async for batch in stream:
                self.missed |= batch.missed
                for one in batch.readings:
                    self.safe[one.path, one.sample.tag] = Safe(one.sample.at, one.sample.value, one.sample.quality)
                    self.told.append((one.sample.tag, one.sample.value))
                self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(patient(20)):
            while not condition():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def hearing(connector: OpcUaConnector, heard: Heard, resume: Resume) -> AsyncIterator[None]:
    await connector.open(dict(resume))
    task = asyncio.create_task(heard.read(connector))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await connector.close()


async def shows(heard: Heard, expected: dict[str, Any]) -> None:
    await heard.until(lambda: expected.items() <= heard.now.items())


def name(alarm: str) -> str:
    return f"Alarms.Server.{alarm}"


@pytest.mark.long
def test_an_outage_leaves_nothing_active_that_is_over() -> None:
    assert len(FIELDS) == len(Event._fields)

    async def go() -> None:
        url, heard = f"opc.tcp://127.0.0.1:{free_port()}", Heard()
        async with tank(url, active={"Jam": datetime.now(UTC)}) as one, hearing(one.connector(), heard, {}):
            await shows(heard, {name("Jam"): "FAULT", WORST: "FAULT Server.Jam"})
            await one.say("Hot", True)
            await shows(heard, {name("Hot"): "FAULT", WORST: "FAULT Server.Hot"})
            still = {"Hot": one.active["Hot"], "Door": datetime.now(UTC)}
        before = len(heard.told)
        async with tank(url, active=still) as one, hearing(one.connector(), heard, heard.safe):
            await shows(heard, {name("Jam"): "NORMAL", name("Hot"): "FAULT", name("Door"): "FAULT"})
            assert name("Hot") not in dict(heard.told[before:]), "it was known"
        async with tank(url, refreshes=False) as one:
            connector = one.connector()
            async with hearing(connector, heard, heard.safe):
                await shows(heard, {name("Jam"): "NORMAL", name("Hot"): None, name("Door"): None, WORST: None})
                assert any("is not told by the server (ConditionRefresh: Bad" in it for it in connector.problems())
                await one.say("Hot", True)
                await shows(heard, {name("Hot"): "FAULT", WORST: "FAULT Server.Hot"})

    asyncio.run(go())


def test_a_server_that_overflows_is_asked_for_all_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It drops the oldest and says nothing: as many came as it keeps, so there may have been more."""
    monkeypatch.setattr(notifiers, "QUEUE_SIZE", 40)
    monkeypatch.setattr("connectors.opcua.retry.BACKOFF_S", (0.1, 0.2))
    monkeypatch.setattr("connectors.opcua.connector.PROBE_S", 0.1)

    async def go() -> None:
        url, heard = f"opc.tcp://127.0.0.1:{free_port()}", Heard()
        async with tank(url) as one:
            connector = one.connector()
            async with hearing(connector, heard, {}):
                await shows(heard, {WORST: "NORMAL"})
                for n in range(100):
                    await one.say(f"A{n}", True)
                for n in range(95):
                    await one.say(f"A{n}", False)
                await shows(heard, {name(f"A{n}"): "FAULT" for n in range(95, 100)})
                over = {name(f"A{n}") for n in range(95)}
                await heard.until(lambda: all(heard.now.get(it, "NORMAL") == "NORMAL" for it in over))
                await heard.until(lambda: bool(heard.missed))
                assert list(heard.missed) == [(PATH, WORST)]
                assert any("are lost" in it for it in connector.problems())

    asyncio.run(go())


def test_a_notifier_that_is_none_is_named_and_the_source_is_away() -> None:
    async def go() -> None:
        async with tank(f"opc.tcp://127.0.0.1:{free_port()}") as one:
            machine = {"path": str(PATH), "alarms": "nsu=urn:gone;s=x"}
            config = OpcUaConfig.model_validate({"url": one.url, "timeout_s": 3, "machines": [machine]})
            connector = OpcUaConnector("x", config)
            with pytest.raises(Exception, match="no alarms of nsu=urn:gone;s=x: the server has no namespace"):
                await connector.open({})
            await connector.close()

    asyncio.run(go())
