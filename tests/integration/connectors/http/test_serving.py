"""The HTTP connector as its clients see it: httpx2, curl, and raw sockets that behave badly."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from connectors.base import SourceUnavailable
from connectors.http.connector import HttpConnector
from tests.harness.http_ingest import GOOD, PLACE, running


def test_what_is_posted_is_read_and_its_bad_parts_are_named() -> None:
    async def go() -> None:
        async with running() as here:
            answer = await here.post(b'{"at": "2026-11-23T06:00:00Z", "values": {"Good": 17, "Bad": [1]}}')
            assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
            assert answer.json()["quarantined"][0]["reason"] == "bad_value"
            two_lines = await here.post(GOOD + b"\n" + GOOD + b"\n", content_type="application/x-ndjson")
            assert two_lines.json()["accepted"] == 2
            order = b'{"id": "A1", "product": "p"}'
            assert (await here.post(order, f"/v1/orders/{PLACE}")).status_code == 202
            influx = await here.post(
                b"filler Good=1i 1795413600", "/write?db=x&precision=s", authorization="Token dallas"
            )
            assert influx.status_code == 204
            partly = await here.post(b"filler Good=1i\nnonsense", "/api/v2/write")
            assert (partly.status_code, partly.json()["quarantined_count"]) == (400, 1)
            assert partly.json()["error"].startswith("partial write: 1 of 2 ")
            assert (await here.post(gzip.compress(GOOD), content_encoding="gzip")).json()["accepted"] == 1

            async def chunks() -> AsyncIterator[bytes]:
                yield GOOD[:9]
                yield GOOD[9:]

            assert (await here.post(chunks())).json()["accepted"] == 1

    asyncio.run(go())


def test_who_may_not_and_what_is_too_much_is_refused_and_nothing_is_taken() -> None:
    async def go() -> None:
        async with running(body_max_bytes=1000, body_timeout_s=0.3) as here:
            assert (await here.post(authorization="Bearer no")).status_code == 401
            assert (await here.post(authorization="Basic dallas")).status_code == 401
            assert (await here.post(authorization="")).status_code == 401
            assert (await here.post(authorization="Bearer austin")).status_code == 403
            assert (await here.post(path="/v1/samples/acme/dallas-2")).status_code == 403
            assert (await here.post(path="/v1/samples/acme/Not OK")).status_code == 404
            assert "openapi" in (await here.post(path=f"/v1/nothing/{PLACE}")).json()["detail"]
            assert (await here.post(b"x" * 1001)).status_code == 413
            assert (await here.post(gzip.compress(b"0" * 50_000_000), content_encoding="gzip")).status_code == 413
            assert (await here.post(b"no gzip", content_encoding="gzip")).status_code == 400
            assert (await here.post(gzip.compress(GOOD)[:-3], content_encoding="gzip")).status_code == 400
            assert (await here.post(gzip.compress(GOOD) + b"x", content_encoding="gzip")).status_code == 400
            assert (await here.post(GOOD, content_encoding="br")).status_code == 415
            assert (await here.post(b"m f=1", "/write?precision=d")).status_code == 400
            reader, writer = await asyncio.open_connection("127.0.0.1", here.config.port)
            head = f"POST /v1/samples/{PLACE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer dallas\r\n"
            writer.write(head.encode() + b"content-length: 50\r\n\r\nhalf")
            assert b"408" in await reader.readline(), "a body that does not come to its end"
            writer.close()
            _, writer = await asyncio.open_connection("127.0.0.1", here.config.port)
            writer.write(head.encode() + b"content-length: 50\r\n\r\nhalf")
            await writer.drain()
            writer.close()
            assert here.batches == []
            assert (await here.client.get("/health", headers={"authorization": ""})).status_code == 200
            assert (await here.post()).status_code == 202, "and it goes on"

    asyncio.run(go())


def test_without_kafka_it_says_so_and_holds_no_more_than_it_may() -> None:
    async def go() -> None:
        async with running(confirms=False, answer_s=0.5, requests_max=3) as here:
            answers = await asyncio.gather(*(here.post() for _ in range(10)))
            assert {answer.status_code for answer in answers} == {503}
            assert all("retry-after" in answer.headers for answer in answers)
            assert len(here.batches) == 1, "those that waited behind it were not taken"
            here.confirms.set()
            assert (await here.post()).status_code == 202

    asyncio.run(go())


def test_who_waits_as_we_close_is_told_503() -> None:
    async def go() -> None:
        async with running(confirms=False, answer_s=60) as here:
            posting = asyncio.create_task(here.post())
            await here.came.wait()
            await here.connector.close()
            assert (await posting).status_code == 503
            assert not here.connector.healthy()

    asyncio.run(go())


def test_a_port_that_is_taken_is_named() -> None:
    async def go() -> None:
        async with running() as here:
            with pytest.raises(SourceUnavailable, match=str(here.config.port)):
                await HttpConnector("second", here.config).open({})

    asyncio.run(go())


def test_curl_posts() -> None:
    async def go() -> None:
        async with running() as here:
            url = f"{here.config.url}/v1/samples/{PLACE}"
            curl = await asyncio.create_subprocess_exec(
                "curl", "-sS", "-w", "%{http_code}", "-H", "Authorization: Bearer dallas", "-H", "Content-Type: application/json", "--data-binary", "@-", url,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await curl.communicate(GOOD)
            assert out.endswith(b"202"), out

    asyncio.run(go())


def test_one_key_is_taken_once() -> None:
    async def go() -> None:
        async with running(confirms=False, answer_s=0.5) as here:
            first = await here.post(idempotency_key="k")
            assert (first.status_code, len(here.batches)) == (503, 1)
            posting = [asyncio.create_task(here.post(idempotency_key="k")) for _ in range(2)]
            here.confirms.set()
            assert {(await answer).status_code for answer in posting} == {202}
            again = await here.post(idempotency_key="k")
            assert (again.status_code, again.json()["accepted"], len(here.batches)) == (202, 1, 1)
            assert (await here.post(GOOD + b" ", idempotency_key="k")).status_code == 422
            assert (await here.post(idempotency_key="k" * 201)).status_code == 400
            assert (await here.post(idempotency_key="other")).status_code == 202
            assert len(here.batches) == 2

    asyncio.run(go())


def test_a_key_of_what_was_not_taken_is_free_again() -> None:
    async def go() -> None:
        async with running(confirms=False, answer_s=0.5) as here:
            answers = await asyncio.gather(here.post(idempotency_key="a"), here.post(idempotency_key="b"))
            assert [answer.status_code for answer in answers] == [503, 503]
            here.confirms.set()
            assert {(await here.post(idempotency_key=key)).status_code for key in "ab"} == {202}
            assert len(here.batches) == 2, "each once"

    asyncio.run(go())


def test_a_token_that_posts_too_often_is_told_when_to_come_again() -> None:
    async def go() -> None:
        tokens = [{"prefix": "acme", "token": "dallas", "requests_per_s_max": 0.001}, {"prefix": "acme", "token": "b"}]
        async with running(tokens=tokens) as here:
            first, second = await here.post(), await here.post()
            assert (first.status_code, second.status_code) == (202, 429)
            assert 900 < int(second.headers["retry-after"]) <= 1000
            assert (await here.post(authorization="Bearer b")).status_code == 202

    asyncio.run(go())
