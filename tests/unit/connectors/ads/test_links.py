"""Conversations with the test server of pyads: what is there and what is not, states, changes, what becomes of a link."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from connectors.ads.config import AdsConfig
from connectors.ads.connector import AdsConnector
from connectors.ads.inventory import browse, listing
from connectors.base import Found, LeftOut, SourceUnavailable
from connectors.kit.polling.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_CONFIGURATION_ERROR,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    BAD_USER_ACCESS_DENIED,
)
from tests.harness.ads import CONFIG, RUN, STOP, Controller, controller
from tests.harness.polling import PATH, conversation, eventually, hear, proxied, reopened
from uns.runtime.ports import free_port
from uns.testing.patience import patient

OTHER = "acme/dallas/packaging/line-1/capper"
LAST_USABLE = 0x40900000
INT, REAL, STRING, STRUCTURE = 2, 4, 30, 65


def of(*machines: dict[str, Any], url: str, **options: Any) -> dict[str, Any]:
    limits = {"timeout_s": patient(0.3), "connect_timeout_s": patient(2)}
    return {"url": url, "machines": list(machines), **limits, **options}


def reads(tags: dict[str, Any], path: str = PATH, **options: Any) -> dict[str, Any]:
    return {"path": path, "period_s": 0.05, "tags": tags, **options}


def build(*plcs: dict[str, Any]) -> AdsConnector:
    return AdsConnector("test", AdsConfig.model_validate({"plcs": list(plcs)}))


def with_counters(plc: Controller, *names: str) -> None:
    for number, name in enumerate(names):
        plc.add(f"MAIN.{name}", "INT", INT, struct.pack("<h", number + 1))


@conversation
async def test_every_kind_is_read_and_what_is_not_there_costs_nothing_else() -> None:
    async with controller() as plc:
        with_counters(plc, "A", "Shut")
        plc.add("MAIN.Temps", "ARRAY [1..4] OF REAL", REAL, struct.pack("<4f", 1, 2, 3, 4))
        plc.add("MAIN.Name", "STRING(9)", STRING, "Füller".encode("cp1252").ljust(10, b"\0"))
        plc.add("MAIN.Motor", "ST_Motor", STRUCTURE, bytes(12))
        plc.handler.codes["MAIN.Shut"] = 0x704
        tags: dict[str, Any] = {name: {"name": f"MAIN.{name}"} for name in ("A", "Name", "Motor", "Shut", "Missing")}
        tags |= {
            "Temps": {"name": "MAIN.Temps", "count": 3},
            "Whole": {"name": "MAIN.Temps"},
            "More": {"name": "MAIN.Temps", "count": 5},
            "Bit": {"name": "MAIN.A", "bit": 0},
        }
        connector = build(of(reads(tags), url=plc.url))
        await connector.open({})
        heard = await hear(connector, lambda heard: len(heard.of("A")) > 4 and len(connector.problems()) >= 5)
        good: dict[str, Any] = {"A": 1, "Bit": True, "Name": "Füller", "Temps.0": 1.0, "Temps.2": 3.0}
        for tag, value in good.items():
            assert set(heard.of(tag)) == {(value, 0)}, tag
        for tag, code in {
            "Missing": BAD_CONFIGURATION_ERROR,
            "Whole": BAD_CONFIGURATION_ERROR,
            "More.4": BAD_CONFIGURATION_ERROR,
            "Motor": BAD_NOT_SUPPORTED,
            "Shut": BAD_USER_ACCESS_DENIED,
        }.items():
            assert set(heard.of(tag)) == {(None, code)}, tag
        problems = " ".join(connector.problems())
        for words in (
            "MAIN.Missing): there is no such variable",
            "it is an array of 4; say a `count`",
            "it has 4 elements, 5 are wanted",
            "it is a structure",
            "MAIN.Shut): reading is not permitted",
        ):
            assert words in problems
        assert connector.healthy()
        await connector.close()


@pytest.mark.parametrize("packed", [False, True])
def test_an_error_in_a_sum_moves_no_other_value(packed: bool) -> None:
    """Whether what failed has bytes in the answer, or none."""

    async def go() -> None:
        async with controller() as plc:
            with_counters(plc, "A", "B", "C")
            plc.handler.codes["MAIN.B"] = 0x708  # busy: stays in the sum
            plc.handler.packed = packed
            connector = build(of(reads({name: {"name": f"MAIN.{name}"} for name in "ABC"}), url=plc.url))
            await connector.open({})
            heard = await hear(connector, lambda heard: len(heard.of("C")) > 2)
            assert (set(heard.of("A")), set(heard.of("C"))) == ({(1, 0)}, {(3, 0)})
            assert {value for value, _ in heard.of("B")} == {None}
            await connector.close()

    asyncio.run(go())


@conversation
async def test_an_answer_that_is_cut_short_is_never_good() -> None:
    async with controller() as plc:
        with_counters(plc, "A", "B")
        connector = build(of(reads({"A": {"name": "MAIN.A"}, "B": {"name": "MAIN.B"}}), url=plc.url))
        await connector.open({})
        await hear(connector, lambda heard: heard.has("B", 2))
        plc.handler.short = 1
        heard = await hear(connector, lambda heard: heard.has("A", None, BAD_COMMUNICATION_ERROR) and heard.malformed)
        assert heard.malformed[0].reason == "bad_answer"
        plc.handler.short = 0
        await hear(connector, lambda heard: heard.has("A", 1))
        await connector.close()


@conversation
async def test_a_change_of_the_program_is_read_through_with_the_new_type() -> None:
    async with controller() as plc:
        with_counters(plc, "A", "B")
        connector = build(of(reads({"A": {"name": "MAIN.A"}, "B": {"name": "MAIN.B"}}), url=plc.url))
        await connector.open({})
        await hear(connector, lambda heard: heard.has("B", 2))
        plc.change("MAIN.B", "REAL", REAL, struct.pack("<f", 2.5))
        heard = await hear(connector, lambda heard: heard.has("B", 2.5) and heard.of("A")[-1] == (1, 0))
        assert {pair for pair in heard.of("A") + heard.of("B") if pair[1] == 0} <= {(1, 0), (2, 0), (2.5, 0)}
        await connector.close()
        await eventually(lambda: not +plc.handler.given)
        assert plc.handler.given, "handles were given"


@conversation
async def test_a_variable_that_goes_and_comes_back_is_read_again() -> None:
    async with controller() as plc:
        with_counters(plc, "A", "B")
        connector = build(of(reads({"A": {"name": "MAIN.A"}, "B": {"name": "MAIN.B"}}), url=plc.url))
        await connector.open({})
        await hear(connector, lambda heard: heard.has("B", 2))
        plc.remove("MAIN.B")
        await hear(connector, lambda heard: heard.has("B", None, BAD_CONFIGURATION_ERROR))
        plc.add("MAIN.B", "INT", INT, struct.pack("<h", 7))
        await hear(connector, lambda heard: heard.has("B", 7))
        await connector.close()


@conversation
async def test_a_program_that_is_stopped_says_so_and_goes_on() -> None:
    async with controller() as plc:
        with_counters(plc, "A")
        connector = build(of(reads({"A": {"name": "MAIN.A"}}), url=plc.url))
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 1))
        plc.handler.states[851] = STOP
        await hear(connector, lambda heard: heard.has("A", 1, LAST_USABLE))
        assert "the program on AMS port 851 is in STOP" in " ".join(connector.problems())
        assert connector.healthy(), "its link is good"
        plc.handler.states[851] = RUN
        await hear(connector, lambda heard: heard.of("A")[-1] == (1, 0))
        assert not any("STOP" in problem for problem in connector.problems())
        await connector.close()


@pytest.mark.parametrize(("system", "words"), [(CONFIG, "config mode"), (RUN, "is the program loaded")])
def test_a_port_that_nobody_has_is_named_and_costs_no_other_program(system: int, words: str) -> None:
    async def go() -> None:
        async with controller() as plc:
            with_counters(plc, "A")
            plc.handler.states[10_000] = system
            tags = {"A": {"name": "MAIN.A"}}
            connector = build(of(reads(tags), reads(tags, OTHER, port=852), url=plc.url))
            await connector.open({})
            await hear(
                connector,
                lambda heard: heard.has("A", 1) and heard.has("A", None, BAD_NO_COMMUNICATION, path=OTHER),
            )
            (problem,) = (problem for problem in connector.problems() if "AMS port" in problem)
            assert problem.startswith(OTHER)
            assert "nothing answers on AMS port 852" in problem
            assert words in problem
            plc.handler.states[852] = RUN
            await hear(connector, lambda heard: heard.has("A", 1, path=OTHER))
            assert not any("AMS port" in problem for problem in connector.problems())
            await connector.close()

    asyncio.run(go())


@conversation
async def test_a_program_that_is_silent_costs_no_other() -> None:
    async with controller() as plc:
        with_counters(plc, "A")
        plc.handler.states[852] = RUN
        tags = {"A": {"name": "MAIN.A"}}
        connector = build(of(reads(tags), reads(tags, OTHER, port=852), url=plc.url))
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 1, path=OTHER))
        plc.handler.mute = lambda request: request.ams_header.target_port == struct.pack("<H", 852)
        await hear(connector, lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION, path=OTHER))
        plc.write("MAIN.A", struct.pack("<h", 9))
        heard = await hear(connector, lambda heard: heard.of("A").count((9, 0)) > 4)
        assert {quality for _, quality in heard.of("A")} == {0}
        await eventually(lambda: any(OTHER in problem and "852" in problem for problem in connector.problems()))
        await connector.close()


@conversation
async def test_a_controller_without_a_route_to_us_is_named_with_the_net_id_that_it_needs() -> None:
    async with controller() as plc:
        with_counters(plc, "A")
        plc.handler.mute = lambda _request: True
        connector = build(of(reads({"A": {"name": "MAIN.A"}}), url=plc.url))
        with pytest.raises(SourceUnavailable, match=r"no answer within .* s; has it a route to 127\.0\.0\.1\.1\.1"):
            await connector.open({})
        await connector.close()


@conversation
async def test_a_link_that_is_half_open_is_noticed_and_comes_back() -> None:
    async with controller() as plc, proxied(plc.port) as proxy:
        with_counters(plc, "A")
        url = plc.url.replace(f":{plc.port}/", f":{proxy.port}/")
        connector = build(of(reads({"A": {"name": "MAIN.A"}}), url=url))
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 1))
        proxy.silent = True
        await hear(connector, lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION))
        with pytest.raises(SourceUnavailable, match=str(proxy.port)):
            await hear(connector, lambda _heard: False)
        assert not connector.healthy()
        plc.write("MAIN.A", struct.pack("<h", 8))
        proxy.silent = False
        await reopened(connector)
        heard = await hear(connector, lambda heard: heard.has("A", 8))
        assert not heard.has("A", 1)
        await connector.close()


@conversation
async def test_a_controller_that_begins_anew_is_read_on() -> None:
    async with controller() as plc:
        with_counters(plc, "A")
        connector = build(of(reads({"A": {"name": "MAIN.A"}}), url=plc.url))
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 1))
        await asyncio.to_thread(plc.stop)
        with pytest.raises(SourceUnavailable, match=str(plc.port)):
            await hear(connector, lambda _heard: False)
        plc.handler.change()
        plc.write("MAIN.A", struct.pack("<h", 2))
        plc.start()
        await reopened(connector)
        heard = await hear(connector, lambda heard: heard.has("A", 2))
        assert not heard.has("A", 1)
        await connector.close()


@contextmanager
def swallowed() -> Iterator[int]:
    """A port whose host answers nothing to whoever would connect: its queue is full, as behind a firewall that drops."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", port := free_port()))
        hole.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in waiting:
            one.close()


@conversation
async def test_a_host_that_swallows_everything_delays_no_other() -> None:
    async with controller() as plc:
        with swallowed() as port:
            with_counters(plc, "A")
            away = of(reads({"A": {"name": "MAIN.A"}}, OTHER), url=f"ads://127.0.0.1:{port}/5.9.9.9.1.1")
            connector = build({**away, "connect_timeout_s": 0.2}, of(reads({"A": {"name": "MAIN.A"}}), url=plc.url))
            await connector.open({})
            heard = await hear(
                connector,
                lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION, path=OTHER) and len(heard.of("A")) > 20,
            )
            assert set(heard.of("A")) == {(1, 0)}
            assert any(str(port) in problem for problem in connector.problems())
            await connector.close()


@conversation
async def test_more_than_one_request_holds_is_read_in_several() -> None:
    async with controller() as plc:
        count = 700
        for number in range(count):
            plc.add(f"GVL.n{number}", "INT", INT, struct.pack("<h", number))
        connector = build(of(reads({f"n{n}": {"name": f"GVL.n{n}"} for n in range(count)}), url=plc.url))
        await connector.open({})
        heard = await hear(
            connector, lambda heard: len({r.sample.tag for r in heard.readings if r.sample.quality == 0}) == count
        )
        for number in range(count):
            assert (number, 0) in heard.of(f"n{number}")
        await connector.close()


@conversation
async def test_the_symbol_table_is_listed_and_the_listing_reads_it() -> None:
    async with controller() as plc:
        with_counters(plc, "nGood")
        plc.add("GVL.aTemps", "ARRAY [1..4] OF REAL", REAL, bytes(16), "°C")
        plc.add("GVL.aOwn", "T_Temps", REAL, bytes(8))
        plc.add("GVL.aMany", "ARRAY [0..99] OF INT", INT, bytes(200))
        plc.add("GVL.stMotor", "ST_Motor", STRUCTURE, bytes(12))
        plc.add("Constants.bLittleEndian", "BOOL", 33, bytes(1))
        config = AdsConfig.model_validate({"plcs": [of(reads({"x": {}}), url=plc.url)]})
        things = [thing async for thing in browse(config)]
        found = {thing.address: thing for thing in things if isinstance(thing, Found)}
        assert set(found) == {"MAIN.nGood", "GVL.aTemps", "GVL.aOwn"}
        temps = found["GVL.aTemps"]
        assert (temps.tag, temps.machine, temps.type, temps.description) == (
            "aTemps",
            "GVL",
            "ARRAY [1..4] OF REAL",
            "°C",
        )
        assert found["GVL.aOwn"].type == "ARRAY [0..1] OF REAL"
        left = " ".join(thing.what for thing in things if isinstance(thing, LeftOut))
        for words in ("GVL.aMany has 100 elements", "GVL.stMotor: it is a structure", "Constants: 1 variables"):
            assert words in left
        made = AdsConfig.model_validate(yaml.safe_load(listing(config, {PATH: list(found.values())})))
        connector = AdsConnector("test", made)
        await connector.open({})
        await hear(
            connector, lambda heard: heard.has("nGood", 1) and heard.has("aTemps.3", 0) and heard.has("aOwn.1", 0)
        )
        assert not any("aTemps" in problem or "aOwn" in problem for problem in connector.problems())
        await connector.close()
