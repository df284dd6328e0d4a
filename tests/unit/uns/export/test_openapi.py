"""OpenAPI of the services: valid, and exactly what is served."""

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from tests.harness.i3x import NoPast, server
from uns.export.openapi import documents
from uns.i3x.app import create as create_i3x
from uns.registry.app import Operations
from uns.registry.app import create as create_registry
from uns.registry.routes import ROUTES
from uns.runtime.access import Access


class NoLog:
    problem = None


def served(app: Any) -> set[tuple[str, str]]:
    routes = [route for route in app.routes if isinstance(route, Route)]
    return {
        (method, route.path.replace(":int", ""))
        for route in routes
        for method in route.methods or ()
        if method != "HEAD"
    }


def named(made: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, methods in made["paths"].items() for method in methods}


@pytest.mark.parametrize("name", documents())
def test_it_is_valid_and_ids_differ(name: str) -> None:
    made = json.loads(json.dumps(documents()[name]))
    assert [error.message for error in OpenAPIV31SpecValidator(made).iter_errors()] == []
    ids = [operation["operationId"] for methods in made["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids)) > 10


def test_i3x_serves_what_its_document_names() -> None:
    assert served(create_i3x(server()[0], NoPast(), Access(()))) == named(documents()["i3x"])


def test_the_registry_serves_what_its_document_names_and_its_health() -> None:
    health = {("GET", "/health/live"), ("GET", "/health/ready")}
    assert served(create_registry(NoLog())) == named(documents()["registry"]) | health  # type: ignore[arg-type]
    assert all(callable(getattr(Operations, each.handler)) for each in ROUTES)
