"""What the sinks' options refuse, in which words, and that secrets are not among them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.records import Pilot
from sinks.historian.config import HistorianConfig
from sinks.rest.auth.fixed import Fixed
from sinks.rest.auth.options import Bearer, Header
from sinks.rest.config import RestConfig
from topology.endpoint import BadSecret
from topology.namespace.classes import DERIVED, MessageClass

CREATE = {"url": "/orders", "body": {"id": "{natural_id}"}}


def rest(**more: Any) -> dict[str, Any]:
    return {"base_url": "https://mes.example.com/api/", "requests": [{"class": "oee", "create": CREATE}], **more}


def mapping(**more: Any) -> dict[str, Any]:
    return rest(requests=[{"class": "oee", "create": CREATE, **more}])


def test_a_trailing_slash_does_not_double() -> None:
    assert RestConfig.model_validate(rest()).base_url == "https://mes.example.com/api"


def test_a_class_means_the_record_that_it_is_named_for() -> None:
    kinds = [RestConfig.model_validate(mapping(**{"class": name})).requests[0].kind for name in DERIVED]
    assert [kind.message_class for kind in kinds] == list(DERIVED)
    assert kinds[DERIVED.index(MessageClass.PILOT)] is Pilot


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (rest(base_url="mes.example.com"), "no address"),
        (rest(base_url="uns:hunter2@mes.example.com"), "no address"),
        (rest(base_url="ftp://uns:hunter2@mes.example.com"), "use auth"),
        (rest(base_url="https://mes.example.com\nX: y"), "line breaks"),
        (rest(base_url="https://mes.example.com/a?b=c"), "no ? and no #"),
        (rest(headers={"X-Key": "hunter2\nX: y"}), "line break"),
        (rest(headers={"X-Key": "hunter2€"}), "outside latin-1"),
        (rest(headers={"X Key": "hunter2"}), "no name of a header"),
        (rest(auth={"kind": "bearer", "secret": "hunter2\nX: y"}), "line break"),
        (rest(auth={"kind": "bearer", "secret": "hunter2€"}), "outside latin-1"),
        (rest(auth={"kind": "bearer", "secret": " "}), "empty"),
        (rest(auth={"kind": "header", "header": "X Key", "secret": "hunter2"}), "no name of a header"),
        (rest(auth={"kind": "basic", "username": "a:b", "secret": "hunter2"}), "no colon"),
        (mapping(create={"url": "/x/../y"}), "leads to another resource"),
        (mapping(lookup={"url": "{natural_id}"}), "must begin with one /"),
        (rest(base_url="ftp://mes.example.com"), "no address"),
        (rest(base_url="https://uns:hunter2@mes.example.com"), "use auth"),
        (rest(requests=[]), "at least 1"),
        (rest(timeout_s=0), "greater than 0"),
        (mapping(**{"class": "oeee"}), "class 'oeee' has no records; there are state, production"),
        (mapping(**{"class": "raw"}), "class 'raw' has no records"),
        (mapping(**{"class": "kpi", "record": "Pilot"}), "record Pilot has a class of its own: write class: pilot"),
        (mapping(**{"class": "pilot", "record": "Pilott"}), "record 'Pilott' is no derived record; there are State"),
        (mapping(**{"class": "schedule"}), "class 'schedule' has no records"),
        (mapping(when={"windov": "hour"}), "Oee has no field windov; did you mean 'window'?"),
        (mapping(when={"status": ["final", "correctd"]}), "status is never 'correctd'; did you mean 'corrected'?"),
        (mapping(**{"class": "downtime", "when": {"category": "Breakdown"}}), "did you mean 'breakdown'?"),
        (mapping(create={"url": "/x/{remote_id}"}), "no field remote_id"),
        (mapping(create={"url": "/x", "body": {"a": ["{goood}"]}}), "no field goood"),
        (mapping(create={"url": "/x", "body": {"a": "{Good}"}}), "brace"),
        (mapping(update={"url": "/x/{remote}"}), "no field remote;"),
        (mapping(lookup={"url": "/x?id={remote_id}"}), "no field remote_id"),
        (mapping(create={**CREATE, "method": "GET"}), "'POST', 'PUT' or 'PATCH'"),
        (rest(auth={"kind": "basic", "secret": "hunter2"}), "auth.basic.username"),
        (rest(auth={"kind": "bearer"}), "give secret_file, or secret"),
        (rest(auth={"kind": "bearer", "secret": "hunter2", "secret_file": "/x"}), "give secret_file, or secret"),
    ],
)
def test_rest_refuses(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RestConfig.model_validate(config)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"dsn": ""}, "is empty; e.g. postgresql://"),
        ({"dsn": "  "}, "is empty"),
        ({"dsn": "password hunter2"}, "no connection string"),
        ({"dsn": "postgresql://a", "schema_name": 'x"; DROP'}, "pattern"),
        ({"dsn": "postgresql://a", "schema_name": "Uns"}, "pattern"),
        ({"dsn": "postgresql://a", "chunk_days": 0}, "greater than or equal to 1"),
        ({"dns": "postgresql://uns:hunter2@a"}, "dns"),
    ],
)
def test_historian_refuses(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HistorianConfig.model_validate(config)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    historian = HistorianConfig.model_validate({"dsn": "postgresql://uns:hunter2@a/b"})
    target = RestConfig.model_validate(rest(auth={"kind": "bearer", "secret": "hunter2"}))
    assert "hunter2" not in f"{historian} {historian!r} {target} {target!r} {target.model_dump_json()}"


def test_a_secret_comes_from_its_file_without_the_newline(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    auth = Bearer.model_validate({"kind": "bearer", "secret_file": str(file)})
    with pytest.raises(OSError, match="secret"):
        auth.value()
    file.write_text("hunter2\n", encoding="utf-8")
    assert auth.value() == "hunter2"
    assert Fixed(auth)._read().headers == {"Authorization": b"Bearer hunter2"}
    for bad in (b"hunter2\nX: y", b"hunter2\xe4", "hunter2€".encode()):
        file.write_bytes(bad)
        with pytest.raises(BadSecret) as caught:
            Fixed(auth)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None, "the cause repeats the secret"


def test_latin_1_is_carried(tmp_path: Path) -> None:
    auth = Header.model_validate({"kind": "header", "header": "X-Key", "secret": "schlüssel"})
    assert Fixed(auth)._read().headers == {"X-Key": b"schl\xfcssel"}
