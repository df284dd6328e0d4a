"""Clients that are slow, many, or pack nothing; a server that ends; a port that cannot be had."""

import asyncio
import gzip
import json
import socket
import struct
import zlib
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from connectors.base import SourceUnavailable
from connectors.http import bounded, server
from connectors.http.config import HttpConfig
from connectors.http.connector import HttpConnector
from tests.harness.http_ingest import GOOD, PLACE, Running, running
from uns.runtime.ports import free_port
from uns.testing.connectors import drain
from uns.testing.patience import patient

HEAD = f"POST /v1/samples/{PLACE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer dallas\r\n".encode()


async def drips(here: Running, first: bytes, drip: bytes) -> bytes:
    """What a client is answered that goes on dripping, until it is hung up on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.config.port)
    writer.write(first)
    answer = b""
    async with asyncio.timeout(patient(20)):
        while True:
            try:
                async with asyncio.timeout(0.05):
                    if not (part := await reader.read(1000)):
                        break
                    answer += part
            except TimeoutError:
                writer.write(drip)
            except ConnectionError:
                break
    writer.close()
    return answer


def test_who_drips_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "LINGER_S", 0.3)

    async def go() -> None:
        async with running(head_timeout_s=0.5, body_timeout_s=0.5) as here:
            length = b"content-length: 1000000\r\n\r\n"
            silent, head, body, stranger = await asyncio.gather(
                drips(here, b"", b""),
                drips(here, HEAD, b"x: y\r\n"),
                drips(here, HEAD + length, b"x"),
                drips(here, HEAD.replace(b"dallas", b"nobody") + length, b"x"),
            )
            assert silent == b""
            assert head.startswith(b"HTTP/1.1 408 ")
            assert body.startswith(b"HTTP/1.1 408 ")
            assert stranger.startswith(b"HTTP/1.1 401 ")
            assert here.batches == []
            assert (await here.post()).status_code == 202

    asyncio.run(go())


def test_who_does_not_read_its_answers_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "UNREAD_S", 0.3)

    async def asks_on(deaf: socket.socket) -> None:
        asked = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 200
        async with asyncio.timeout(patient(30)):
            while True:
                await asyncio.get_running_loop().sock_sendall(deaf, asked)

    async def go() -> None:
        async with running() as here:
            with socket.create_connection(("127.0.0.1", here.config.port)) as deaf:
                deaf.setblocking(False)
                with pytest.raises(ConnectionError):
                    await asks_on(deaf)
            assert (await here.post()).status_code == 202

    asyncio.run(go())


def test_a_client_may_be_slower_than_a_head_may_be_with_its_body_and_its_next_request() -> None:
    async def go() -> None:
        async with running(head_timeout_s=2, body_timeout_s=60) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", here.config.port)
            for pause_s in (2.2, 0.0):
                writer.write(HEAD + f"content-length: {len(GOOD)}\r\n\r\n".encode() + GOOD[:10])
                await asyncio.sleep(pause_s)  # the client's slowness
                writer.write(GOOD[10:])
                assert b" 202 " in await reader.readline()
                (length,) = [
                    int(line.split(b":")[1]) async for line in lines(reader) if line.startswith(b"content-length")
                ]
                await reader.readexactly(length)
            writer.close()

    async def lines(reader: asyncio.StreamReader) -> Any:
        while (line := await reader.readline()) != b"\r\n":
            yield line

    asyncio.run(go())


def test_a_connection_too_many_is_told_when_to_come_again_and_health_is_answered() -> None:
    async def go() -> None:
        async with running(connections_max=3) as here:
            with ExitStack() as idle:
                for _ in range(3):
                    idle.enter_context(socket.create_connection(("127.0.0.1", here.config.port)))
                await asyncio.sleep(0)
                answer = await here.post()
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
                assert answer.headers["content-type"] == "application/problem+json"
                assert (await here.client.get("/health")).status_code == 200
                for _ in range(bounded.SPARE + 1):
                    idle.enter_context(socket.create_connection(("127.0.0.1", here.config.port)))
                reader, writer = await asyncio.open_connection("127.0.0.1", here.config.port)
                writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
                with suppress(ConnectionError):
                    assert await reader.read() == b"", "one more is not even heard"
                writer.close()

            async def posts() -> bool:
                return (await here.post()).status_code == 202

            async with asyncio.timeout(patient(10)):
                while not await posts():  # noqa: ASYNC110 - once it has seen that there is room
                    await asyncio.sleep(0.05)

    asyncio.run(go())


def empty_blocks(count: int) -> bytes:
    """A gzip body of so many blocks of nothing."""
    head, block, end = b"\x1f\x8b\x08" + b"\x00" * 7, b"\x00\x00\x00\xff\xff", b"\x01\x00\x00\xff\xff"
    return head + block * count + end + struct.pack("<II", zlib.crc32(b""), 0)


def test_packed_bytes_count_and_members_follow_one_another() -> None:
    async def go() -> None:
        async with running() as here:
            assert gzip.decompress(empty_blocks(10)) == b""
            assert (await here.post(empty_blocks(300_000), content_encoding="gzip")).status_code == 413
            two = gzip.compress(GOOD[:20]) + gzip.compress(GOOD[20:])
            assert (await here.post(two, content_encoding="gzip")).json()["accepted"] == 1

            async def torn() -> Any:
                for n in range(len(two)):
                    yield two[n : n + 1]

            assert (await here.post(torn(), content_encoding="gzip")).json()["accepted"] == 1
            assert (await here.post(gzip.compress(b"") * 1000, content_encoding="gzip")).status_code == 202
            assert (await here.post(gzip.compress(b"") * 1001, content_encoding="gzip")).status_code == 400
            bombs = gzip.compress(b" " * 600_000) * 2
            assert (await here.post(bombs, content_encoding="gzip")).status_code == 413
            random = gzip.compress(json.dumps({"at": 1795413600000, "values": {}}).encode().ljust(999_990), 0)
            assert (await here.post(random, content_encoding="gzip")).status_code == 202, "a body that does not pack"

    asyncio.run(go())


def test_a_body_that_says_too_much_is_refused_and_nobody_waits_for_a_large_one() -> None:
    async def go() -> None:
        async with running() as here:
            large = asyncio.create_task(here.post(b"x\n" * 400_000, "/write"))
            lines = asyncio.create_task(here.post(b"[\n" * 400_000, content_type="application/x-ndjson"))
            while not large.done() or not lines.done():
                assert (await here.post()).status_code == 202
            assert [(await answer).status_code for answer in (large, lines)] == [413, 413]
            assert not any(batch.malformed for batch in here.batches)

    asyncio.run(go())


def test_a_server_that_ends_ends_the_batches() -> None:
    async def go() -> None:
        config = HttpConfig.model_validate({"url": f"http://127.0.0.1:{free_port()}", "tokens": [{"prefix": "acme", "token": "t"}]})  # fmt: skip
        connector = HttpConnector("test", config)
        await connector.open({})
        reading: asyncio.Task[None] = asyncio.create_task(drain(connector.batches()))
        await asyncio.sleep(0)
        (task,) = [task for task in asyncio.all_tasks() if "Server.serve" in repr(task)]
        task.cancel()
        async with asyncio.timeout(patient(5)):
            with pytest.raises(SourceUnavailable, match="has ended"):
                await reading
        assert not connector.healthy()
        await connector.close()
        await connector.open({})
        assert connector.healthy()
        await connector.close()

    asyncio.run(go())


def test_a_server_that_cannot_start_says_why_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(host: str, port: int) -> socket.socket:
        listening = socket.socket()
        listening.bind((host, port))
        listening.close()
        return listening

    async def go() -> None:
        config = HttpConfig.model_validate({"url": f"http://127.0.0.1:{free_port()}", "tokens": [{"prefix": "acme", "token": "t"}]})  # fmt: skip
        taken = socket.create_server(("127.0.0.1", config.port))
        connector = HttpConnector("test", config)
        with taken, pytest.raises(SourceUnavailable, match=rf"{config.port} cannot be listened on: .*in use"):
            await connector.open({})
        monkeypatch.setattr(server, "bound", gone)
        with pytest.raises(SourceUnavailable, match=rf"{config.port} cannot be served: .*Bad file descriptor"):
            await connector.open({})
        assert not connector.healthy()
        await connector.close()

    asyncio.run(go())


def test_a_key_is_the_same_by_any_name_of_the_host() -> None:
    async def go() -> None:
        async with running() as here:
            assert (await here.post(idempotency_key="k")).status_code == 202
            assert (await here.post(idempotency_key="k", host="ingest.example:8087")).status_code == 202
            assert len(here.batches) == 1
            other = await here.post(idempotency_key="k", path=f"/v1/samples/{PLACE}?x=1")
            assert other.status_code == 422
            lines = await here.post(idempotency_key="k", content_type="application/x-ndjson")
            assert lines.status_code == 422, "the same bytes say something else there"

    asyncio.run(go())
