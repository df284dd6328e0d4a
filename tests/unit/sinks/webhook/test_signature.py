"""Signatures, as the library of Standard Webhooks checks them; and what configurations say."""

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from sinks.webhook import spec
from sinks.webhook.signature import headers, key, message_id
from topology.endpoint import BadSecret

SECRETS = st.binary(min_size=24, max_size=64).map(lambda one: "whsec_" + base64.b64encode(one).decode())
URL = "https://a.example/hook"


@given(st.lists(SECRETS, min_size=1, max_size=2, unique=True), st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))  # fmt: skip
def test_each_secret_that_is_valid_verifies_and_what_was_tampered_with_does_not(
    secrets: list[str], identity: str, text: str
) -> None:
    body = text.encode()
    at_s = int(time.time())
    made = headers([key(one) for one in secrets], identity, at_s, body)
    for one in secrets:
        Webhook(one).verify(body, made, json_parse=False)
    other = Webhook("whsec_" + base64.b64encode(b"x" * 30).decode())
    hook = Webhook(secrets[0])
    tampered: list[Callable[[], object]] = [
        lambda: hook.verify(body + b" ", made, json_parse=False),
        lambda: hook.verify(body, {**made, "webhook-id": "msg_0"}, json_parse=False),
        lambda: hook.verify(body, {**made, "webhook-timestamp": str(at_s - 7)}, json_parse=False),
        lambda: other.verify(body, made, json_parse=False),
    ]
    for verify in tampered:
        with pytest.raises(WebhookVerificationError):
            verify()


def test_an_id_is_the_same_for_the_same_and_a_header_can_carry_it() -> None:
    ids = [message_id(text) for text in ("a", "ä\n.", "a:1", "a:2")]
    assert len(set(ids)) == 4
    assert all(one.isascii() and one.isprintable() and "." not in one and len(one) < 64 for one in ids)
    assert message_id("a") == ids[0]


@pytest.mark.parametrize("secret", ["whsec_", "whsec_hunter2!", "whsec_aHVudGVyMg==", "ä", "whsec_" + base64.b64encode(b"x" * 65).decode()])  # fmt: skip
def test_a_secret_that_is_none_is_said_and_not_shown(secret: str) -> None:
    with pytest.raises(BadSecret, match="whsec_ and 24 to 64 bytes") as caught:
        key(secret)
    assert "hunter2" not in str(caught.value)
    assert "aHVudGVyMg" not in str(caught.value)
    with pytest.raises(ValidationError, match="whsec_ and 24 to 64 bytes"):
        spec.config.model_validate({"url": URL, "secret": secret})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://a"}, "https://host/path"),
        ({"url": "https://u:hunter2@a"}, "auth"),
        ({"headers": {"Webhook-Id": "1"}}, "one that we send"),
        ({"headers": {"a b": "1"}}, "no name of a header"),
        ({"events": [{"class": "downtimes"}]}, "has no records"),
        ({"events": [{"class": "downtime", "when": {"categry": "x"}}]}, "did you mean 'category'"),
        ({"events": [{"class": "downtime", "when": "{{ categry }}"}]}, "did you mean 'category'"),
        ({"old_secret_file": "/x"}, "goes with a new one"),
        ({"secret": "whsec_" + "A" * 40, "secret_file": "/x"}, "secret_file, or secret"),
    ],
    ids=lambda given: given if isinstance(given, str) else "-".join(given),
)
def test_what_is_wrong_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        spec.config.model_validate({"url": URL, **options})
    assert "hunter2" not in str(caught.value)
