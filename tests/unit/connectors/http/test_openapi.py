"""The document says what is served: it is valid, and its schemas agree with what is taken and answered."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from connectors.base import Malformed
from connectors.http.app import App, Known
from connectors.http.codec import KINDS, decode
from connectors.http.config import HttpConfig
from connectors.http.held import Held
from connectors.http.openapi import document
from connectors.http.routes import JSON, OPERATIONS, RECORDS
from connectors.http.tokens import Tokens
from connectors.http.webhooks import Webhooks
from topology.namespace.path import Path
from uns.testing.text import json_documents

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
DOCUMENT = document(OPERATIONS)
AT = "2026-11-29T06:00:00Z"
MINIMAL: dict[str, dict[str, Any]] = {
    "samples": {"at": AT, "values": {"Good": 17}},
    "orders": {"id": "A1", "product": "p", "started_at": AT},
    "lots": {"id": "L1", "material": "m", "started_at": 1795932000000, "ended_at": None},
    "shifts": {"id": "s", "name": "early", "started_at": AT, "ended_at": "2026-11-29T14:00:00+01:00",
               "breaks": [{"started_at": AT, "ended_at": AT}]},
    "reasons": {"id": "r", "code": 7, "started_at": AT, "by": "me"},
    "work-orders": {"id": "w", "status": "done", "started_at": AT},
    "limits": {"id": "v2", "at": AT, "why": "tool", "by": "ann"},
    "inspections": {"id": "i", "characteristic": "weight", "at": AT, "value": 1.5},
}  # fmt: skip


def app(**options: Any) -> App:
    tokens = [{"prefix": "acme", "token": "t"}]
    config = HttpConfig.model_validate({"tokens": tokens, **options})
    return App(config, Known(Tokens(config.tokens), Webhooks(config.hooks or ())), Held(), lambda: True)


def takes(kind: str) -> OAS31Validator:
    schema = {"$ref": f"#/components/schemas/{RECORDS[kind]}", "components": DOCUMENT["components"]}
    return OAS31Validator(schema)


@pytest.mark.parametrize("options", [{}, {"lines": {"path": "acme/dallas"}, "form": {"machines": [str(PATH)]}}])
def test_the_document_is_valid_and_names_what_is_served(options: dict[str, Any]) -> None:
    here = app(**options)
    read = json.loads(json.dumps(document(here.operations)))
    assert [error.message for error in OpenAPIV31SpecValidator(read).iter_errors()] == []
    routes = [route for route in here.asgi().routes if isinstance(route, Route)]
    served = {(method, route.path) for route in routes for method in route.methods or () if method != "HEAD"}
    named = {
        (method.upper(), path.replace("{path}", "{path:path}"))
        for path, methods in read["paths"].items()
        for method in methods
    }
    assert served == named
    assert ("/write" in read["paths"]) == ("/form" in read["paths"]) == bool(options)
    ids = [operation["operationId"] for methods in read["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_kind_has_a_schema() -> None:
    assert set(KINDS) == set(RECORDS) == set(MINIMAL)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_schema_allows_is_taken_and_the_other_way_round(kind: str) -> None:
    body = MINIMAL[kind]
    takes(kind).validate(body)
    assert not any(isinstance(thing, Malformed) for thing in decode(kind, PATH, json.dumps(body).encode(), 0))
    for name in body:
        less = {key: value for key, value in body.items() if key != name}
        refused = any(isinstance(thing, Malformed) for thing in decode(kind, PATH, json.dumps(less).encode(), 0))
        assert refused != takes(kind).is_valid(less), f"without {name}"


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_what_is_taken_is_allowed_by_the_schema(kind: str, data: st.DataObject) -> None:
    """Whatever stands in the fields; the schema may allow more: a time of the year 1, a number beyond 64 bits."""
    fields = {name: st.just(value) | json_documents((name,)) for name, value in MINIMAL[kind].items()}
    body = data.draw(st.fixed_dictionaries({}, optional=fields))
    things = decode(kind, PATH, json.dumps(body).encode(), 0)
    if things and not any(isinstance(thing, Malformed) for thing in things):
        takes(kind).validate(body)


def test_every_error_is_a_problem_and_every_post_answers_by_counts() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], path
    assert DOCUMENT["paths"]["/v1/samples/{path}"]["post"]["responses"]["202"]["content"][JSON]
