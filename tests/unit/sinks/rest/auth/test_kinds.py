"""What each kind sends, what makes it sign anew, and what it says when it is not accepted: never the secret."""

import asyncio
import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from sinks.base import Retryable
from sinks.kit.answer import Answer
from sinks.rest.auth import signing
from sinks.rest.auth.options import Hmac
from sinks.rest.auth.signature import Signature
from sinks.rest.auth.signing import NotAccepted, Signed, Signing
from sinks.rest.config import RestConfig
from tests.unit.sinks.rest.auth.asked import CHANGE, OK, READ, UNAUTHORIZED, Asked
from topology.endpoint import BadSecret
from uns.testing.component import SECRET

BASE = "https://mes.example.com/api"
OAUTH2 = {"kind": "oauth2", "token_url": "https://login.example.com/token", "client_id": "uns:1", "secret": SECRET}
SESSION = {
    "kind": "session",
    "url": "/login",
    "username": "uns",
    "secret": SECRET,
    "body": {"user": "{username}", "password": "{secret}"},
    "token_field": "result.token",
    "header": "Session-Token",
}


def of(options: dict[str, Any], csrf: bool = False) -> Signing:
    request = {"class": "downtime", "create": {"url": "/orders"}}
    config = {"base_url": BASE, "auth": options, "csrf": {} if csrf else None, "requests": [request]}
    valid = RestConfig.model_validate(config)
    return signing(valid.auth, valid.csrf, BASE)


def sign(signed: Signing, asked: Asked, request: Any = CHANGE) -> Signed:
    return asyncio.run(signed.sign(request, asked.ask))


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ({"kind": "bearer"}, "Authorization", b"Bearer hunter2"),
        ({"kind": "header", "header": "x-api-key"}, "x-api-key", b"hunter2"),
        ({"kind": "header", "prefix": "token "}, "Authorization", b"token hunter2"),
        ({"kind": "basic", "username": "u"}, "Authorization", b"Basic " + base64.b64encode(b"u:hunter2")),
    ],
)
def test_a_fixed_secret_is_carried_and_read_again_when_it_is_refused(
    options: dict[str, Any], header: str, value: bytes, tmp_path: Path
) -> None:
    file, asked = tmp_path / "secret", Asked([])
    file.write_text(SECRET)
    fixed = of({**options, "secret_file": str(file)})
    signed = sign(fixed, asked)
    assert signed.headers == {header: value}
    assert fixed.stale(signed, OK) is None
    assert fixed.stale(signed, UNAUTHORIZED) is None, "it is what the file has: the answer stands"
    file.write_text("other\n")
    assert fixed.stale(signed, UNAUTHORIZED) is not None
    assert sign(fixed, asked).headers != signed.headers
    file.unlink()
    with pytest.raises(Retryable, match="cannot be read again"):
        fixed.stale(signed, UNAUTHORIZED)


def test_a_parameter_of_the_address_is_added_to_what_is_there() -> None:
    query = of({"kind": "query", "parameter": "sig", "secret": "a b&c"})
    assert sign(query, Asked([])).url == f"{CHANGE.url}&sig=a+b%26c"
    assert sign(query, Asked([]), READ).url == f"{READ.url}?sig=a+b%26c"


@pytest.mark.parametrize("client_auth", ["basic", "post"])
def test_client_credentials_are_sent_as_rfc_6749_says(client_auth: str) -> None:
    asked = Asked([Answer(200, {}, '{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600}')])
    oauth2 = of({**OAUTH2, "client_auth": client_auth, "scope": "a b", "more": {"audience": "mes"}})
    assert sign(oauth2, asked).headers == {"Authorization": b"Bearer t1"}
    assert sign(oauth2, asked).headers == {"Authorization": b"Bearer t1"}, "and no second request"
    [(request, headers)] = asked.requests
    form = {name: value for name, [value] in parse_qs(request.content.decode()).items()}
    assert (form["grant_type"], form["scope"], form["audience"]) == ("client_credentials", "a b", "mes")
    if client_auth == "basic":
        assert headers["Authorization"] == b"Basic " + base64.b64encode(b"uns%3A1:hunter2")
    else:
        assert (form["client_id"], form["client_secret"]) == ("uns:1", SECRET)


def test_a_refused_token_is_fetched_anew_and_a_second_one_is_not_the_records_fault() -> None:
    asked = Asked([Answer(200, {}, f'{{"access_token": "t{n}"}}') for n in (1, 2)])
    oauth2 = of(OAUTH2)
    first = sign(oauth2, asked)
    assert "just fetched is refused" in str(oauth2.stale(first, UNAUTHORIZED))
    assert sign(oauth2, asked).headers == {"Authorization": b"Bearer t2"}
    assert oauth2.stale(first, Answer(403)) is None, "403 is said of the request"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(401, {}, json.dumps({"error": "invalid_client", "you_sent": SECRET})), "401 invalid_client"),
        (Answer(200, {}, "<html>"), "gives none: 200"),
        (Answer(200, {}, "[]"), "gives none: 200"),
        (Answer(302, {"location": "/login"}, ""), "gives none: 302"),
        (Answer(200, {}, '{"access_token": "a\\nb"}'), "no header can carry"),
        (Answer(200, {}, '{"access_token": "a", "token_type": "mac"}'), "no bearer token"),
    ],
)
def test_a_token_endpoint_that_gives_none_is_named_without_the_secret(answer: Answer, words: str) -> None:
    with pytest.raises(NotAccepted) as caught:
        sign(of(OAUTH2), Asked([answer]))
    assert words in str(caught.value)
    assert "login.example.com/token" in str(caught.value) or "header" in words
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("form", [False, True])
def test_a_login_is_made_once_and_again_when_it_is_over(form: bool) -> None:
    asked = Asked([Answer(200, {}, f'{{"result": {{"token": "s{n}"}}}}') for n in (1, 2)])
    session = of({**SESSION, "form": form, "prefix": "T "})
    signed = sign(session, asked)
    assert signed.headers == {"Session-Token": b"T s1"}
    [(request, _)] = asked.requests
    body = {"user": "uns", "password": SECRET}
    assert request.url == f"{BASE}/login"
    assert request.content == (b"user=uns&password=hunter2" if form else json.dumps(body).encode())
    assert session.stale(signed, UNAUTHORIZED) is not None
    assert sign(session, asked).headers == {"Session-Token": b"T s2"}
    assert len(asked.requests) == 2


def test_a_session_that_ended_is_known_by_what_the_target_says() -> None:
    asked = Asked([OK, OK])
    options = {**SESSION, "token_field": None, "expired": "{{ status == 401 or body.error.code == 100 }}"}
    session = of(options)
    signed = sign(session, asked)
    assert signed.headers == {}, "cookies do it"
    assert session.stale(signed, Answer(200, {}, '{"error": {"code": 100}}')) is not None
    assert session.stale(sign(session, asked), Answer(200, {}, '{"error": {"code": 200}}')) is None
    assert session.stale(sign(session, asked), Answer(200, {}, '{"result": 1}')) is None
    assert len(asked.requests) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, {}, f'{{"error": "wrong password {SECRET}"}}'), "not accepted"),
        (Answer(401, {}, f"{SECRET} is wrong"), "check auth"),
        (Answer(200, {"content-type": "text/html"}, "<html>"), "a page for people"),
        (Answer(200, {}, '{"result": {}}'), "names no token in 'result.token'"),
        (Answer(503, {}, ""), "503"),
    ],
)
def test_a_login_that_fails_is_named_without_the_secret(answer: Answer, words: str) -> None:
    with pytest.raises(NotAccepted) as caught:
        sign(of(SESSION), Asked([answer]))
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_csrf_token_is_for_changes_alone_and_fetched_with_our_name() -> None:
    fetched = [Answer(200, {"x-csrf-token": f"c{n}"}, "") for n in (1, 2)]
    asked = Asked([*fetched])
    csrf = of({"kind": "bearer", "secret": SECRET}, csrf=True)
    assert sign(csrf, asked, READ).headers == {"Authorization": b"Bearer hunter2"}
    signed = sign(csrf, asked)
    assert signed.headers == {"Authorization": b"Bearer hunter2", "x-csrf-token": b"c1"}
    [(request, headers)] = asked.requests
    assert (request.method, request.url) == ("GET", f"{BASE}/")
    assert headers["x-csrf-token"] == b"fetch"
    assert headers["Authorization"] == b"Bearer hunter2"
    assert csrf.stale(signed, Answer(403, {"x-csrf-token": "Required"})) is not None
    assert csrf.stale(sign(csrf, asked), Answer(403)) is None
    assert len(asked.requests) == 2


def test_a_new_token_needs_a_new_csrf_token() -> None:
    token = [Answer(200, {}, f'{{"access_token": "t{n}"}}') for n in (1, 2)]
    csrf = [Answer(200, {"x-csrf-token": f"c{n}"}, "") for n in (1, 2)]
    asked = Asked([token[0], csrf[0], token[1], csrf[1]])
    both = of(OAUTH2, csrf=True)
    signed = sign(both, asked)
    assert both.stale(signed, UNAUTHORIZED) is not None
    assert sign(both, asked).headers == {"Authorization": b"Bearer t2", "x-csrf-token": b"c2"}


@pytest.mark.parametrize("given", [{}, {"x-csrf-token": "Required"}, {"x-csrf-token": ""}])
def test_a_target_that_gives_no_csrf_token_is_named(given: dict[str, str]) -> None:
    with pytest.raises(NotAccepted, match="gives no x-csrf-token"):
        sign(of({"kind": "bearer", "secret": SECRET}, csrf=True), Asked([Answer(200, given, "")]))


def signature(**options: Any) -> Signed:
    made = Signature(Hmac.model_validate({"kind": "hmac", **options}), lambda: 1_700_000_000.25)
    return asyncio.run(made.sign(CHANGE, Asked([]).ask))


def test_hmac_is_that_of_rfc_4231() -> None:
    signed = signature(secret="Jefe", signs="what do ya want for nothing?", prefix="sha256=")
    digest = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signed.headers == {"X-Signature": b"sha256=" + digest}


def test_a_standard_webhook_is_signed() -> None:
    key = b"\x01key"
    signed = signature(
        secret="whsec_" + base64.b64encode(key).decode(),
        secret_encoding="base64",
        encoding="base64",
        header="webhook-signature",
        prefix="v1,",
        signs="{id}.{timestamp_s}.{body}",
        headers={"webhook-id": "{id}", "webhook-timestamp": "{timestamp_s}"},
    )
    expected = base64.b64encode(hmac.digest(key, b'key-1.1700000000.{"a":1}', hashlib.sha256))
    assert signed.headers["webhook-signature"] == b"v1," + expected
    assert signed.headers["webhook-id"] == b"key-1"
    assert signed.headers["webhook-timestamp"] == b"1700000000"


def test_what_stands_in_the_address_is_signed_with_it() -> None:
    signed = signature(secret="k", signs="{method} {url}", query={"timestamp": "{timestamp_ms}", "app": "a b"})
    assert signed.url == f"{CHANGE.url}&timestamp=1700000000250&app=a%20b"
    digest = hmac.digest(b"k", f"POST {signed.url.removeprefix('https://')}".encode(), hashlib.sha256)
    assert signed.headers["X-Signature"] == digest.hex().encode()


@pytest.mark.parametrize(("text", "form"), [("zz", "hex"), ("not base64", "base64"), ("", "text")])
def test_a_key_that_is_none_is_refused_without_being_shown(text: str, form: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(BadSecret) as caught:
        of({"kind": "hmac", "secret_file": str(file), "secret_encoding": form})
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**OAUTH2, "token_url": "ftp://x"}, "no address"),
        ({**OAUTH2, "token_url": f"https://u:{SECRET}@x"}, "use secret_file"),
        ({**OAUTH2, "client_id": ""}, "at least 1"),
        ({**SESSION, "url": "https://elsewhere/login"}, "must begin with one /"),
        ({**SESSION, "body": {"user": "{user}"}}, "no field user"),
        ({**SESSION, "expired": "{{ statuss == 401 }}"}, "no field statuss"),
        ({"kind": "hmac", "secret": SECRET, "signs": "{bodyy}"}, "no field bodyy"),
        ({"kind": "hmac", "secret": SECRET, "header": "a b"}, "no name of a header"),
        ({"kind": "hmac", "secret": SECRET, "algorithm": "md5"}, "sha256"),
        ({"kind": "digest", "secret": SECRET}, "'bearer', 'basic', 'header', 'query', 'oauth2', 'session', 'hmac'"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        of(options)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
