"""Webhooks: what a system of record posts by itself becomes facts, and only what it has signed."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.base import SourceUnavailable
from connectors.http.config import Hook, HttpConfig
from connectors.http.connector import HttpConnector
from connectors.http.webhooks import Webhooks
from schemas.records import Reason
from tests.harness.http_ingest import PLACE, running
from uns.testing.connectors import check_said
from uns.testing.text import json_documents

SECRET = "hunter2"
HOOK: dict[str, Any] = {
    "name": "cmms",
    "secret": SECRET,
    "prefix": "sha256=",
    "items": "[data][?status=='DONE']",
    "row": "reason",
    "path": "{asset}",
    "levels": "paths",
    "columns": {"number": "id", "asset": "asset", "code": "closing", "began": "began", "by": "by"},
    "words": {"bearing worn": 201},
    "fields": {"id": "wo-{number}", "code": "code", "started_at": "began", "by": "by"},
}
ORDER = {"id": 17, "status": "DONE", "asset": PLACE, "closing": "bearing worn", "began": "2026-11-23T06:00:00Z", "by": "Jörg"}  # fmt: skip
BODY = json.dumps({"event": "closed", "data": ORDER}).encode()


def signature(body: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


def posted(hook: dict[str, Any], body: bytes, **headers: str) -> tuple[httpx2.Response, list[Any]]:
    async def go() -> tuple[httpx2.Response, list[Any]]:
        async with running(hooks=[hook]) as here:
            here.client.headers.pop("authorization")
            answer = await here.post(body, f"/v1/hooks/{hook['name']}", content_type="application/json", **headers)
            return answer, [fact for batch in here.batches for fact in batch.facts]

    return asyncio.run(go())


def test_a_closed_work_order_becomes_a_reason() -> None:
    answer, [fact] = posted(HOOK, BODY, x_hub_signature_256=f"sha256={signature()}")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    assert str(fact.path) == PLACE
    assert fact.fact == Reason(id="wo-17", code=201, started_at=1795413600000000, by="Jörg")


def test_one_that_is_still_open_says_nothing() -> None:
    body = json.dumps({"data": ORDER | {"status": "OPEN"}}).encode()
    answer, facts = posted(HOOK, body, x_hub_signature_256=f"sha256={signature(body)}")
    assert (answer.status_code, answer.json()["accepted"], facts) == (202, 0, [])


@pytest.mark.parametrize(
    "given",
    [
        "",
        "sha256=",
        signature(),
        f"sha256={signature(secret='wrong')}",
        f"sha256={signature(BODY + b' ')}",
        "sha256=zz",
    ],
)
def test_what_is_not_signed_is_not_taken(given: str) -> None:
    answer, facts = posted(HOOK, BODY, x_hub_signature_256=given.encode().decode("latin-1"))
    assert (answer.status_code, facts) == (401, [])
    assert SECRET not in answer.text


def test_a_time_that_is_signed_too_may_not_be_old() -> None:
    hook = HOOK | {"signed": "v0:{timestamp}:{body}", "timestamp_header": "X-Time", "header": "X-Sign", "encoding": "base64", "prefix": "v0="}  # fmt: skip
    for now, status in ((int(time.time()), 202), (int(time.time()) - 3600, 401)):
        message = b"v0:%d:%s" % (now, BODY)
        signed = base64.b64encode(hmac.new(SECRET.encode(), message, "sha256").digest()).decode()
        answer, _ = posted(hook, BODY, x_sign=f"v0={signed}", x_time=str(now))
        assert answer.status_code == status
    assert posted(hook, BODY, x_sign=f"v0={signed}", x_time="now")[0].status_code == 401


def test_a_header_may_carry_the_secret_itself() -> None:
    hook = HOOK | {"algorithm": "plain", "header": "X-Token", "prefix": ""}
    assert posted(hook, BODY, x_token=SECRET)[0].status_code == 202
    assert posted(hook, BODY, x_token="hunter3")[0].status_code == 401


def test_what_is_malformed_is_quarantined_and_said() -> None:
    body = json.dumps({"data": {"status": "DONE", "id": 17}}).encode()
    answer, facts = posted(HOOK, body, x_hub_signature_256=f"sha256={signature(body)}")
    assert (answer.status_code, answer.json()["quarantined_count"], facts) == (202, 1, [])


def test_the_same_key_counts_once_and_another_hook_is_not_there() -> None:
    async def go() -> None:
        async with running(hooks=[HOOK]) as here:
            headers = {"x_hub_signature_256": f"sha256={signature()}", "idempotency_key": "delivery-1"}
            for _ in range(2):
                answer = await here.post(BODY, "/v1/hooks/cmms", content_type="application/json", **headers)
                assert answer.status_code == 202
            assert sum(len(batch.facts) for batch in here.batches) == 1
            assert (await here.post(BODY, "/v1/hooks/other", content_type="application/json")).status_code == 404
            assert (await here.post(BODY, "/v1/hooks/cmms", content_type="text/plain", **headers)).status_code == 415
            assert "/v1/hooks/{hook}" in (await here.client.get("/openapi.json")).json()["paths"]

    asyncio.run(go())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"secret": None}, "needs one of"),
        ({"signed": "fixed"}, "has {body} once"),
        ({"signed": "{timestamp}{body}"}, "go together"),
        ({"header": "a b"}, "no name of a header"),
        ({"name": "Über"}, "pattern"),
    ],
)
def test_what_would_let_anybody_post_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        Hook.model_validate(HOOK | options)
    assert SECRET not in str(refused.value)


def test_a_secret_that_cannot_be_read_is_named() -> None:
    hook = HOOK | {"secret": None, "secret_file": "/no/such/file"}
    config = HttpConfig.model_validate({"tokens": [{"prefix": "acme", "token": "t"}], "hooks": [hook]})
    with pytest.raises(SourceUnavailable, match="/no/such/file"):
        asyncio.run(HttpConnector("test", config).open({}))


@given(st.binary(max_size=40) | json_documents(("data", *ORDER)).map(lambda read: json.dumps(read).encode()))
def test_whatever_is_posted_is_a_fact_or_malformed(body: bytes) -> None:
    hook = Hook.model_validate(HOOK | {"items": None})
    for thing in Webhooks([hook]).said(hook, body):
        check_said(thing)


def test_the_digest_of_a_poster_is_not_its_secret() -> None:
    hook = Hook.model_validate(HOOK)
    headers = {"x-hub-signature-256": f"sha256={signature()}"}
    assert Webhooks([hook]).checked("cmms", headers, BODY, 0.0).digest == hashlib.sha256(SECRET.encode()).digest()
