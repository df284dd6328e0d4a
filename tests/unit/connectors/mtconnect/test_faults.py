"""Agents as they are: half open, away, garbled, without streams or heartbeats, learning as they run, or no agents at all."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from connectors.base import Safe, SourceUnavailable
from connectors.mtconnect import agent as agent_module
from connectors.mtconnect import client as client_module
from connectors.mtconnect.config import MtConnectConfig
from connectors.mtconnect.connector import MtConnectConnector
from tests.contract.reader_mtconnect import connector, conversation, count, reading
from tests.contract.source_mtconnect import agent, config
from tests.contract.sources import PATH
from uns.testing.patience import patient
from uns.testing.source import T0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "BACKOFF_S", (0.05, 0.2))


@conversation
async def test_a_link_that_is_half_open_is_noticed_and_said() -> None:
    async with agent() as serving:
        mills = connector(serving, timeout_s=0.5)
        async with reading(mills) as reader:
            assert mills.healthy()
            serving.mute = True
            await reader.until(lambda: reader.lost is not None)
            assert not mills.healthy()


@conversation
async def test_an_agent_that_is_away_neither_silences_nor_delays_the_others() -> None:
    async with agent(device="Lathe") as lathe, agent() as mill:
        mills = connector(mill, lathe, timeout_s=0.5)
        other = f"{PATH.parent}/machine-1"
        async with reading(mills) as reader:
            lathe.mute = True
            count(mill, 0, 5)
            await reader.until(lambda: len(mills.problems()) == 1)
            assert str(lathe.port) in mills.problems()[0]
            count(mill, 5, 10)
            await reader.until(lambda: reader.values() == list(range(10)))
            assert mills.healthy()
            count(lathe, 0, 3)
            lathe.mute = False
            lathe.cut()
            await reader.until(lambda: not mills.problems())
            await reader.until(lambda: [r.sample.value for b in reader.batches for r in b.readings if str(r.path) == other and r.sample.at >= T0] == [0, 1, 2])  # fmt: skip
            assert reader.lost is None


@pytest.mark.parametrize("options", [{"streams": False}, {"heartbeats": False}])
@conversation
async def test_an_agent_without_streams_or_heartbeats_is_asked_now_and_then(options: dict[str, bool]) -> None:
    async with agent(**options) as serving, reading(connector(serving, poll_s=0.05, timeout_s=0.3)) as reader:
        count(serving, 0, 5)
        await reader.until(lambda: len(reader.values()) == 5)
        await reader.until(lambda: "interval" not in serving.requests[-1] and "from=11" in serving.requests[-1])
        count(serving, 5, 10)
        await reader.until(lambda: len(reader.values()) == 10)
        assert reader.values() == list(range(10))
        assert reader.connector.healthy()
        assert not reader.connector.problems()


@conversation
async def test_a_garbled_document_is_in_quarantine_and_what_it_held_is_read() -> None:
    async with agent() as serving, reading(connector(serving)) as reader:
        serving.garbled = 3
        count(serving, 0, 40)
        await reader.until(lambda: len(reader.values()) == 40)
        assert reader.values() == list(range(40))
        assert {one.reason for one in reader.malformed} == {"bad_xml"}


@conversation
async def test_documents_that_are_too_large_are_asked_for_in_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "DOCUMENT_MAX_BYTES", 3_000)
    async with agent() as serving:
        mills = connector(serving)
        async with reading(mills) as reader:
            count(serving, 0, 100)
            await reader.until(lambda: len(reader.values()) == 100)
            assert reader.values() == list(range(100))


@conversation
async def test_one_value_that_no_xml_can_hold_costs_no_other() -> None:
    async with agent() as serving:
        count(serving, 0, 13)
        async with reading(connector(serving), {(PATH, "State"): Safe(T0, 0, 0)}) as reader:
            serving.tell("Name", T0 + 50_000, "\x01")
            count(serving, 13, 40)
            serving.tell("Name", T0 + 60_000, "good")
            count(serving, 40, 50)
            await reader.until(lambda: len(reader.values()) == 49)
            assert reader.values() == list(range(1, 50))
            assert reader.values("Name") == ["good"]
            alone = reader.malformed[-1]
            assert (alone.reason, alone.payload.count(b"sequence=")) == ("bad_xml", 1)
            assert not reader.holes


@conversation
async def test_an_agent_whose_present_cannot_be_read_is_read_by_its_buffer() -> None:
    async with agent() as serving:
        serving.tell("Name", T0, "\x01")
        async with reading(connector(serving)) as reader:
            count(serving, 0, 5)
            await reader.until(lambda: len(reader.values()) == 5)
            assert {one.reason for one in reader.malformed} == {"bad_xml"}


@conversation
async def test_the_oldest_value_that_no_xml_can_hold_costs_no_other() -> None:
    async with agent(buffer=10) as serving:
        serving.tell("Name", T0, "\x01")
        count(serving, 0, 9)
        async with reading(connector(serving), {(PATH, "State"): Safe(T0 - 1, 0, 0)}) as reader:
            await reader.until(lambda: reader.values() == list(range(9)))
            assert reader.malformed[-1].payload.count(b"sequence=") == 1


@conversation
async def test_a_clock_that_goes_back_is_believed_and_nothing_is_dropped() -> None:
    async with agent() as serving, reading(connector(serving)) as reader:
        for n, at in enumerate((T0, T0 + 9_000, T0 + 1_000, T0 + 2_000)):
            serving.tell("State", at, n)
        await reader.until(lambda: len(reader.values()) == 4)
        assert reader.values() == [0, 1, 2, 3]


@conversation
async def test_conditions_are_told_as_the_worst_that_is_active_before_us_too() -> None:
    async with agent() as serving:
        serving.tell("Alarm", T0, "too hot", "Fault", nativeCode="401")
        async with reading(connector(serving)) as reader:
            serving.tell("Alarm", T0 + 1, "low", "Warning", nativeCode="12")
            serving.tell("Alarm", T0 + 2, "", "Normal", nativeCode="401")
            serving.tell("Alarm", T0 + 3, "", "Normal")
            await reader.until(lambda: len(reader.values("Alarm")) == 4)
            assert reader.values("Alarm") == ["FAULT 401", "FAULT 401", "WARNING 12", "NORMAL"]


@conversation
async def test_a_condition_that_ended_while_nobody_listened_is_not_active_any_more() -> None:
    async with agent(buffer=20) as serving:
        mills = connector(serving)
        serving.tell("Alarm", T0, "", "Warning", nativeCode="12")
        serving.tell("Alarm", T0, "too hot", "Fault", nativeCode="401")
        async with reading(mills) as reader:
            await reader.until(lambda: reader.values("Alarm") == ["WARNING 12", "FAULT 401"])
        serving.tell("Alarm", T0 + 1, "", "Normal", nativeCode="401")
        count(serving, 0, 100)
        serving.tell("Alarm", T0 + 2, "", "Warning", nativeCode="13")
        async with reading(mills) as reader:
            await reader.until(lambda: reader.values("Alarm") == ["WARNING 13"])


@conversation
async def test_a_data_item_that_an_agent_learns_of_as_it_runs_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "PROBE_AGAIN_S", 0.0)
    async with agent() as serving, reading(connector(serving)) as reader:
        serving.items["Load"] = ("Samples", "LOAD", "Load")
        serving.tell("Load", T0, 12.5)
        await reader.until(lambda: reader.values("Load") == [12.5])


@conversation
async def test_an_observation_that_no_device_has_is_in_quarantine() -> None:
    async with agent() as serving, reading(connector(serving)) as reader:
        serving.items["Load"] = ("Samples", "LOAD", "Load")
        serving.tell("Load", T0, 12.5)
        count(serving, 0, 2)
        await reader.until(lambda: len(reader.values()) == 2)
        assert [one.reason for one in reader.malformed] == ["unknown_item"]


@conversation
async def test_what_nobody_takes_is_kept_by_the_agent_and_read_later() -> None:
    async with agent() as serving:
        mills = connector(serving, count=1)
        await mills.open({})
        stream = mills.batches()
        async with aclosing(stream):  # type: ignore[type-var]
            await anext(stream)
            count(serving, 0, 300)
            await asyncio.sleep(0)
            values: list[Any] = []
            async with asyncio.timeout(patient(10)):
                async for batch in stream:
                    values += [r.sample.value for r in batch.readings if r.sample.tag == "State"]
                    if len(values) == 300:
                        break
        assert values == list(range(300))
        await mills.close()


def answer(status: str, body: str = "", *headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        "content-type: text/xml",
        f"content-length: {len(body)}",
        "connection: close",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer("200 OK", "<html></html>"), "<html> is no document"),
        (answer("200 OK", "<MTConnectStreams><Header/></MTConnectStreams>"), "no document of devices"),
        (answer("401 Unauthorized"), "check username"),
        (answer("302 Found", "", "location: http://login"), "redirected to 'http://login'"),
        (answer("503 Busy", "busy"), "503, and no words of an agent"),
        (answer("200 OK", "x", "content-encoding: gzip"), "gzip"),
        (
            answer("404 No", '<MTConnectError><Header/><Error errorCode="NO_DEVICE">none</Error></MTConnectError>'),
            "NO_DEVICE: none",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n<MTConnect", "cannot be reached"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "cannot be reached"),
    ],
)
@conversation
async def test_a_server_that_is_no_agent_is_named_without_our_secret(said: bytes, words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    login = {"username": "uns", "password": "secret-word"}
    options = {"agents": [{"url": url, "machines": [{"path": str(PATH)}], **login}]}
    mills = MtConnectConnector("mills", MtConnectConfig.model_validate(options))
    with pytest.raises(SourceUnavailable, match=f"{url}.*{words}") as caught:
        await mills.open({})
    assert "secret-word" not in str(caught.value)
    await mills.close()
    server.close()


@conversation
async def test_an_agent_that_does_not_answer_does_not_hold_up_the_opening_of_the_others() -> None:
    async with agent(device="Lathe", mute=True) as lathe, agent() as mill:
        mills = connector(mill, lathe, timeout_s=60)
        async with asyncio.timeout(patient(10)), reading(mills) as reader:
            count(mill, 0, 3)
            await reader.until(lambda: reader.values() == [0, 1, 2])
            assert str(lathe.port) in mills.problems()[0]


@conversation
async def test_a_machine_that_an_agent_has_not_is_named_and_the_rest_is_read() -> None:
    async with agent() as serving:
        options = config(serving)
        machines = [
            {"path": str(PATH), "tags": {"Good": "State", "Load": "load"}},
            {"path": f"{PATH.parent}/lathe", "device": "Lathe"},
        ]
        options["agents"] = [{"url": serving.url, "machines": machines}]
        mills = MtConnectConnector("mills", MtConnectConfig.model_validate(options))
        async with reading(mills) as reader:
            count(serving, 0, 3)
            await reader.until(lambda: reader.values("Good") == [0, 1, 2])
            assert not reader.values("Execution"), "not listed"
            assert ["Load (load)" in mills.problems()[0], "no device 'Lathe'" in mills.problems()[1]] == [True, True]
