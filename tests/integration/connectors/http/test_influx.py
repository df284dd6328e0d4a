"""What clients of InfluxDB send, in their own order and words, and what they make of our answers."""

import asyncio
import base64
import gzip

import pytest

from tests.harness.http_ingest import GOOD, PLACE, running

LINE = b"filler Good=1i 1795413600000000000\n"
BASIC = "Basic " + base64.b64encode(b"anybody:dallas").decode()
FORM = "application/x-www-form-urlencoded"


def test_version_1_begins_with_its_database_and_sends_its_password() -> None:
    async def go() -> None:
        async with running() as here:
            ping = await here.client.get("/ping", headers={"authorization": ""})
            assert (ping.status_code, "x-influxdb-version" in ping.headers) == (204, True)
            assert (await here.client.head("/ping")).status_code == 204
            create = b"q=CREATE+DATABASE+%22plant%22"
            made = await here.post(create, "/query", authorization=BASIC, content_type=FORM)
            assert (made.status_code, made.json()) == (200, {"results": [{"statement_id": 0}]})
            assert (await here.client.get("/query?q=create database x")).status_code == 200
            asked = await here.client.get("/query?q=SELECT 1")
            assert (asked.status_code, asked.json()["error"][:11]) == (400, "queries are")
            packed = {"content_encoding": "gzip", "content_type": "text/plain; charset=utf-8"}
            answer = await here.post(gzip.compress(LINE), "/write?db=plant", authorization=BASIC, **packed)
            assert answer.status_code == 204
            wrong = "Basic " + base64.b64encode(b"dallas:dalla").decode()
            assert (await here.post(LINE, "/write?db=plant", authorization=wrong)).status_code == 401
            assert (await here.post(authorization=BASIC)).status_code == 401, "a password is InfluxDB's way alone"
            assert len(here.batches) == 1

    asyncio.run(go())


@pytest.mark.parametrize(("route", "often", "slow"), [("/write", 503, 503), ("/api/v2/write", 429, 503), (f"/v1/samples/{PLACE}", 429, 408)])  # fmt: skip
def test_what_may_pass_is_not_final_for_them(route: str, often: int, slow: int) -> None:
    async def go() -> None:
        tokens = [{"prefix": "acme", "token": "dallas", "requests_per_s_max": 0.001}, {"prefix": "acme", "token": "b"}]
        body = LINE if "write" in route else GOOD
        async with running(tokens=tokens, body_timeout_s=0.2) as here:
            assert (await here.post(body, route)).is_success
            answer = await here.post(body, route)
            assert (answer.status_code, int(answer.headers["retry-after"]) > 900) == (often, True)
            reader, writer = await asyncio.open_connection("127.0.0.1", here.config.port)
            writer.write(
                f"POST {route} HTTP/1.1\r\nhost: x\r\nauthorization: Token b\r\ncontent-length: 9\r\n\r\n".encode()
            )
            assert (await reader.readline()).startswith(f"HTTP/1.1 {slow} ".encode())
            writer.close()

    asyncio.run(go())


def test_a_body_of_the_wrong_type_is_refused_in_words() -> None:
    async def go() -> None:
        async with running() as here:
            for media in (FORM, "text/plain", "multipart/form-data; boundary=x", "application/xml"):
                answer = await here.post(content_type=media)
                assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")
                assert "send content-type application/json" in answer.json()["detail"]
            for media in ("application/json", "application/x-ndjson", "multipart/form-data"):
                assert (await here.post(LINE, "/write", content_type=media)).status_code == 415
            assert here.batches == []
            for media in ("application/json", "Application/JSON; charset=utf-8", "application/jsonl"):
                assert (await here.post(content_type=media)).status_code == 202
            for media in (FORM, "text/plain", "application/octet-stream"):
                assert (await here.post(LINE, "/write", content_type=media)).status_code == 204, "as curl and agents do"
            wrong = await here.client.get(f"/v1/samples/{PLACE}")
            assert (wrong.status_code, wrong.json()["detail"]) == (405, "GET is not done here, only POST")

    asyncio.run(go())
