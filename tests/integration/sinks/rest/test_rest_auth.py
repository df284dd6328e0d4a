"""The REST sink at a target that wants to know who comes: each object once, nothing quarantined for what we are."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sinks.base import Retryable, Unwritten
from sinks.rest import spec
from sinks.rest.config import RestConfig
from sinks.rest.target import Target
from tests.contract.rest_gateway import KEY, Gateway
from tests.contract.rest_writing import delivered
from uns.testing import delivery, downtime
from uns.testing.component import SECRET

COUNT = 12


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway().serving() as running:
        yield running


def auth(gateway: Gateway, way: str, **more: Any) -> dict[str, Any]:
    """The configuration for a way in."""
    match way:
        case "token":
            return {"kind": "oauth2", "token_url": f"{gateway.url}/token", "client_id": "uns", "secret": SECRET, **more}
        case "session":
            body = {"user": "{username}", "password": "{secret}"}
            over = "{{ status == 401 or body.error.code == 100 }}"
            return {"kind": "session", "url": "/login", "username": "uns", "secret": SECRET, "body": body, "expired": over, **more}  # fmt: skip
        case "signature":
            return {
                "kind": "hmac",
                "secret": base64.b64encode(KEY).decode(),
                "secret_encoding": "base64",
                "header": "webhook-signature",
                "prefix": "v1,",
                "encoding": "base64",
                "signs": "{id}.{timestamp_s}.{body}",
                "headers": {"webhook-id": "{id}", "webhook-timestamp": "{timestamp_s}"},
            }
    return {"kind": "bearer", "secret": SECRET}


def write(config: dict[str, Any], folder: Path, count: int = COUNT) -> list[Unwritten]:
    records = [downtime(n, 0, f"reason {n} äöü") for n in range(count)]
    records += [downtime(n, 1, f"corrected {n}") for n in range(0, count, 3)]
    return asyncio.run(delivered(config, folder, [delivery(record, n) for n, record in enumerate(records)]))


def check(gateway: Gateway, count: int = COUNT) -> None:
    reasons = {downtime(n).natural_id: f"corrected {n}" if n % 3 == 0 else f"reason {n} äöü" for n in range(count)}
    assert sorted((one["external_id"], one["reason"]) for one in gateway.objects) == sorted(reasons.items())


@pytest.mark.parametrize("way", ["token", "session", "csrf", "signature"])
def test_every_object_is_made_once_and_revised(gateway: Gateway, way: str, tmp_path: Path) -> None:
    gateway.wants = {way}
    more: dict[str, Any] = {"csrf": {}} if way == "csrf" else {}
    assert write(gateway.config(auth(gateway, way), **more), tmp_path) == []
    check(gateway)
    assert gateway.issued == (0 if way == "signature" else 1)


@pytest.mark.parametrize("way", ["token", "session", "csrf"])
def test_what_ends_in_the_middle_is_fetched_anew_and_nothing_is_lost_or_twice(
    gateway: Gateway, way: str, tmp_path: Path
) -> None:
    gateway.wants, gateway.forgets_every = {way}, 5
    more: dict[str, Any] = {"csrf": {}} if way == "csrf" else {}
    assert write(gateway.config(auth(gateway, way), **more), tmp_path) == []
    check(gateway)
    assert gateway.issued > 2


def test_two_at_the_same_time_fetch_one_token(gateway: Gateway, tmp_path: Path) -> None:
    gateway.wants = {"token"}
    target = Target("mes", RestConfig.model_validate(gateway.config(auth(gateway, "token"))))

    async def go() -> None:
        try:
            await asyncio.gather(*(target.ask("GET", "/orders?external_id=x", None, {}) for _ in range(8)))
        finally:
            await target.close()

    asyncio.run(go())
    assert gateway.seen.count("token") == 1
    assert gateway.seen.count("GET") == 8


def once(config: dict[str, Any], folder: Path, times: int) -> list[str]:
    """The words of so many calls in a row, each of which must be retried; nothing is written or quarantined."""

    async def go() -> list[str]:
        sink, words = spec.build("mes", spec.config.model_validate(config), folder), []
        await sink.open()
        try:
            for _ in range(times):
                with pytest.raises(Retryable) as caught:
                    await sink.write([delivery(downtime(n), n) for n in range(3)], {})
                words.append(str(caught.value))
        finally:
            await sink.close()
        return words

    return asyncio.run(go())


@pytest.mark.parametrize("way", ["token", "session"])
def test_wrong_credentials_are_away_and_no_poison_and_no_storm(gateway: Gateway, way: str, tmp_path: Path) -> None:
    gateway.wants, gateway.credentials = {way}, ("uns", "another")
    words = once(gateway.config(auth(gateway, way)), tmp_path, 20)
    assert ("invalid_client" if way == "token" else "is not accepted") in words[0]
    assert "it is tried again in" in words[-1]
    assert not any(SECRET in each for each in words)
    assert len(gateway.seen) <= 2, "twenty calls, and one request in a pause"


@pytest.mark.parametrize("trouble", ["refuses", "no token"])
def test_a_token_that_helps_nothing_is_no_storm(gateway: Gateway, trouble: str, tmp_path: Path) -> None:
    gateway.wants, gateway.trouble = {"token"}, trouble
    words = once(gateway.config(auth(gateway, "token")), tmp_path, 20)
    assert ("just fetched is refused" if trouble == "refuses" else "gives none: 500") in words[0]
    assert gateway.seen.count("token") <= 4
    assert gateway.objects == []


def test_a_corrected_secret_is_taken_while_the_sink_runs(gateway: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("outdated")
    gateway.wants, gateway.valid["token"] = {"token"}, SECRET
    config = gateway.config({"kind": "bearer", "secret_file": str(file)})

    async def go() -> None:
        sink = spec.build("mes", spec.config.model_validate(config), tmp_path)
        await sink.open()
        try:
            assert len(await sink.write([delivery(downtime(1), 1)], {})) == 1, "deferred"
            file.write_text(SECRET)
            assert await sink.write([delivery(downtime(1), 1)], {}) == []
        finally:
            await sink.close()

    asyncio.run(go())
    assert len(gateway.objects) == 1
