"""Conversations with cpppo's controller: what it lacks, what becomes of a link, and that nothing wrong is ever good."""

import asyncio
import struct
from typing import Any

import pytest

from connectors.base import SourceUnavailable
from connectors.ethernetip.config import EtherNetIpConfig
from connectors.ethernetip.connector import EtherNetIpConnector
from connectors.ethernetip.inventory import browse
from connectors.kit.polling.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_CONFIGURATION_ERROR,
    BAD_NO_COMMUNICATION,
)
from tests.harness.enip import controller
from tests.harness.polling import PATH, conversation, hear, proxied, reopened
from uns.testing.patience import patient

KINDS = {"A": "DINT", "B": "REAL", "C": "SSTRING", "D": "BOOL", "E": "INT", "Arr": "DINT[10]", "Big": "DINT[64]"}


def connector_config(port: int, tags: dict[str, Any] | None = None, **options: Any) -> EtherNetIpConfig:
    machine = {"path": PATH, "period_s": 0.05, "tags": tags or {"A": {}}}
    limits = {"timeout_s": patient(0.5), "connect_timeout_s": patient(2)}
    plc = {"url": f"tcp://127.0.0.1:{port}", "machines": [machine], **limits, **options}
    return EtherNetIpConfig.model_validate({"plcs": [plc]})


def build(port: int, tags: dict[str, Any], **options: Any) -> EtherNetIpConnector:
    return EtherNetIpConnector("test", connector_config(port, tags, **options))


@conversation
async def test_every_kind_is_read_and_what_is_not_there_costs_nothing_else() -> None:
    async with controller(KINDS) as plc:
        for name, value in (("A", -7), ("B", 1.5), ("C", "Füller"), ("D", True), ("E", 12), ("Arr[3]", 33)):
            plc.write(name, value)
        tags = {name: {} for name in "ABCDE"} | {
            "Some": {"name": "Arr[2]", "count": 3},
            "Bit": {"name": "E.2"},
            "All": {"name": "Big[0]", "count": 64},
            "Beyond": {"name": "Arr[10]"},
            "Missing": {},
        }
        connector = build(plc.port, tags)
        await connector.open({})
        heard = await hear(
            connector,
            lambda heard: (
                heard.has("Missing", None, BAD_CONFIGURATION_ERROR)
                and heard.has("Beyond", None, BAD_CONFIGURATION_ERROR)
                and len(connector.problems()) >= 2
                and len(heard.of("A")) > 3
            ),
        )
        good: dict[str, Any] = {
            "A": -7,
            "B": 1.5,
            "C": "Füller",
            "D": True,
            "E": 12,
            "Bit": True,
            "Some.0": 0,
            "Some.1": 33,
            "All.63": 0,
        }
        for tag, value in good.items():
            assert set(heard.of(tag)) == {(value, 0)}, tag
        problems = " ".join(connector.problems())
        assert "Missing): there is no such tag" in problems
        assert "Arr[10]): it is beyond the end" in problems
        plc.write("A", 8)
        await hear(connector, lambda heard: heard.has("A", 8))
        assert connector.healthy()
        await connector.close()


@conversation
async def test_a_link_that_is_half_open_is_noticed_and_comes_back() -> None:
    async with controller({"A": "DINT"}) as plc, proxied(plc.port) as proxy:
        plc.write("A", 7)
        connector = build(proxy.port, {"A": {}})
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 7))
        proxy.silent = True
        await hear(connector, lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION))
        with pytest.raises(SourceUnavailable, match=str(proxy.port)):
            await hear(connector, lambda _heard: False)
        assert not connector.healthy()
        plc.write("A", 8)
        proxy.silent = False
        await reopened(connector)
        heard = await hear(connector, lambda heard: heard.has("A", 8))
        assert not heard.has("A", 7)
        await connector.close()


@conversation
async def test_a_controller_that_stands_still_and_goes_on_says_nothing_old() -> None:
    async with controller({"A": "DINT"}) as plc:
        plc.write("A", 1)
        connector = build(plc.port, {"A": {}})
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 1))
        plc.pause()
        await hear(connector, lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION))
        plc.go_on()
        await asyncio.to_thread(plc.write, "A", 2)
        await reopened(connector)
        heard = await hear(connector, lambda heard: len(heard.of("A")) > 3)
        assert {value for value, quality in heard.of("A") if quality == 0} == {2}
        await connector.close()


@conversation
async def test_a_controller_that_begins_anew_is_read_on() -> None:
    async with controller({"A": "DINT"}) as plc:
        plc.write("A", 1)
        connector = build(plc.port, {"A": {}})
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 1))
        await asyncio.to_thread(plc.stop)
        with pytest.raises(SourceUnavailable, match=str(plc.port)):
            await hear(connector, lambda _heard: False)
        await asyncio.to_thread(plc.start)
        await reopened(connector)
        heard = await hear(connector, lambda heard: heard.has("A", 0))
        assert not heard.has("A", 1)
        await connector.close()


def another_sequence(came: bytes) -> bytes:
    return came[:44] + bytes([came[44] ^ 0xFF]) + came[45:] if came[:2] == b"\x70\0" else came


def another_length(came: bytes) -> bytes:
    if came[:2] != b"\x70\0":
        return came
    return came[:2] + struct.pack("<H", len(came) - 25) + came[4:-1]


@pytest.mark.parametrize("alter", [another_sequence, another_length])
def test_an_answer_that_is_none_is_never_good(alter: Any) -> None:
    async def go() -> None:
        async with controller({"A": "DINT"}) as plc, proxied(plc.port) as proxy:
            plc.write("A", 7)
            connector = build(proxy.port, {"A": {}})
            await connector.open({})
            await hear(connector, lambda heard: heard.has("A", 7))
            proxy.alter = alter
            heard = await hear(
                connector, lambda heard: heard.has("A", None, BAD_COMMUNICATION_ERROR) and heard.malformed
            )
            assert {pair for pair in heard.of("A") if pair[0] is not None} <= {(7, 0)}
            assert heard.malformed[0].reason in ("bad_frame", "bad_answer")
            await connector.close()

    asyncio.run(go())


@conversation
async def test_a_controller_without_a_tag_list_is_named() -> None:
    """cpppo has none."""
    async with controller({"A": "DINT"}) as plc:
        connector = build(plc.port, {"A": {}, "Motor": {"members": True}})
        with pytest.raises(SourceUnavailable, match="does not give its tag list"):
            await connector.open({})
        await connector.close()
        with pytest.raises(SourceUnavailable, match="does not give its tag list"):
            await anext(browse(connector_config(plc.port)))
