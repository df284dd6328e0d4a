"""A server that misbehaves: what is wrong is named, nothing is lost and nothing comes twice, and no secret is shown."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from connectors.base import Connector, Position, SourceUnavailable
from connectors.kit import queries
from connectors.rest import spec
from connectors.rest.client import linked, wait_s
from tests.contract.source_rest import RestSource, rest
from uns.testing.component import SECRET
from uns.testing.connectors import keep, resume_at
from uns.testing.patience import patient
from uns.testing.source import T0

TROUBLES: dict[str, tuple[Callable[[], Response], str]] = {
    "500": (lambda: PlainTextResponse("crashed", 500), "500 crashed"),
    "401": (lambda: PlainTextResponse("who", 401), "check auth"),
    "429": (lambda: PlainTextResponse("slow", 429, {"Retry-After": "0"}), "429 slow"),
    "a page to log in at": (lambda: HTMLResponse("<html>password</html>"), "a page for people"),
    "a redirect": (lambda: RedirectResponse("https://elsewhere.example/"), "redirected to https://elsewhere"),
    "no JSON": (lambda: PlainTextResponse("oops"), "not JSON"),
    "no list": (lambda: JSONResponse({"found": 5}), "nothing is at"),
    "204": (lambda: Response(status_code=204), "204"),
}


@asynccontextmanager
async def opened(source: RestSource, cursor: dict[str, Position], **more: Any) -> AsyncIterator[Connector]:
    connector = spec.build("cmms", spec.config.model_validate(source.config | more))
    resume_at(connector, cursor)
    await connector.open({})
    try:
        yield connector
    finally:
        await connector.close()


async def values(connector: Connector, cursor: dict[str, Position], count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(patient(20)), aclosing(connector.batches()) as batches:  # type: ignore[type-var]
        async for batch in batches:
            keep(cursor, batch)
            found += [reading.sample.value for reading in batch.readings]
            if len(found) >= count:
                break
    return found


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_named_and_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "RETRY_S", (0.02, 0.05))
    made, words = TROUBLES[name]

    async def go() -> None:
        cursor: dict[str, Position] = {}
        async with rest() as source:
            for number in range(20):
                await source.say("State", T0 + number, number)
            async with opened(source, cursor, auth={"kind": "bearer", "secret": SECRET}) as connector:
                assert await values(connector, cursor, 20) == list(range(20))
                source.trouble = made()
                await _until(lambda: any(words in each for each in connector.problems()))
                assert SECRET not in str(connector.problems())
                assert connector.healthy(), "it answers"
                source.trouble = None
                await source.say("State", T0 + 20, 20)
                assert await values(connector, cursor, 1) == [20]
                await _until(lambda: not connector.problems())
            async with opened(source, cursor) as connector:
                await source.say("State", T0 + 21, 21)
                assert await values(connector, cursor, 1) == [21], "a restart goes on where it was"

    asyncio.run(go())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(patient(20)):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


class _Never(Response):
    """None comes, until the client has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


def test_a_server_that_is_slow_over_one_query_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "RETRY_S", (0.02, 0.05))

    async def go() -> None:
        cursor: dict[str, Position] = {}
        async with rest() as source:
            source.trouble = _Never()
            async with opened(source, cursor, timeout_s=0.2) as connector:
                await _until(lambda: any("no answer in time" in each for each in connector.problems()))
                source.trouble = None
                await source.say("State", T0, 1)
                assert await values(connector, cursor, 1) == [1]

    asyncio.run(go())


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        ({"kind": "bearer", "secret": SECRET}, f"Bearer {SECRET}"),
        ({"kind": "basic", "username": "uns", "secret": SECRET}, "Basic dW5zOmh1bnRlcjI="),
        ({"kind": "header", "secret": f"token {SECRET}"}, f"token {SECRET}"),
    ],
)
def test_it_says_who_it_is_over_tls(tmp_path: Path, auth: dict[str, str], sent: str) -> None:
    certificate, key = str(tmp_path / "cmms.pem"), str(tmp_path / "cmms.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip

    async def go() -> None:
        cursor: dict[str, Position] = {}
        source = RestSource(ssl_certfile=certificate, ssl_keyfile=key)
        source.start()
        try:
            await source.say("State", T0, 1)
            async with opened(source, cursor, auth=auth, ca_file=certificate) as connector:
                assert await values(connector, cursor, 1) == [1]
            assert source.authorization == sent
            with pytest.raises(SourceUnavailable, match=str(source.port)) as refused:
                async with opened(source, cursor, auth=auth):
                    pass
            assert SECRET not in str(refused.value)
        finally:
            source.stop()

    asyncio.run(go())


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    config = spec.config.model_validate(RestSource().config | {"auth": {"kind": "bearer", "secret_file": str(file)}})

    async def go(words: str) -> None:
        with pytest.raises(SourceUnavailable, match=words) as failed:
            await spec.build("cmms", config).open({})
        assert SECRET not in str(failed.value)

    asyncio.run(go("No such file"))
    file.write_text(f"{SECRET}\n{SECRET}", encoding="utf-8")
    asyncio.run(go("line break"))


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ('</x?page=2>; rel="next"', "/x?page=2"),
        ('</x?page=1>; rel="prev", </x?page=3>; rel=next', "/x?page=3"),
        ('</a,b>; title="x"; rel="last next"', "/a,b"),
        ('</x>; rel="last"', None),
        ("rubbish", None),
        ("", None),
    ],
)
def test_the_next_page_of_a_link(header: str, address: str | None) -> None:
    assert linked(header) == address


def test_what_retry_after_asks() -> None:
    now = datetime(2026, 11, 29, 19, tzinfo=UTC)
    assert wait_s("17", now) == 17
    assert wait_s("Sun, 29 Nov 2026 19:01:00 GMT", now) == 60
    assert wait_s("99999999", now) == 3600
    assert wait_s("soon", now) == wait_s("", now) == 0
