"""OpenAPI 3.1 of every HTTP service, made of the tables that the services route by. Pure."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from connectors.http.openapi import document as http_document
from connectors.http.routes import OPERATIONS
from uns.i3x.openapi import document as i3x_document
from uns.registry.routes import ROUTES as REGISTRY_ROUTES

_TEXT = {"type": "string"}
_REGISTRY_MEDIA = "application/vnd.schemaregistry.v1+json"


def documents() -> Mapping[str, dict[str, Any]]:
    """Name of a service → its document."""
    return {"registry": registry(), "http": http_document(OPERATIONS), "i3x": i3x_document()}


def registry() -> dict[str, Any]:
    """Of the schema registry: Confluent's contract, as far as it goes for Avro."""
    paths: dict[str, dict[str, Any]] = {}
    for route in REGISTRY_ROUTES:
        path, parameters = parameters_of(route.path)
        operation: dict[str, Any] = {
            "operationId": operation_id(route.method, path),
            "summary": route.summary,
            "responses": {
                "200": {"description": "done", "content": {_REGISTRY_MEDIA: {"schema": {}}}},
                "default": {
                    "description": "refused; error_code is Confluent's",
                    "content": {_REGISTRY_MEDIA: {"schema": {"$ref": "#/components/schemas/Error"}}},
                },
            },
        }
        if parameters:
            operation["parameters"] = parameters
        if route.takes:
            operation["requestBody"] = {
                "required": True,
                "content": {_REGISTRY_MEDIA: {"schema": {"$ref": f"#/components/schemas/{route.takes}"}}},
            }
        paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "uns-backbone schema registry",
            "version": version("uns-backbone"),
            "description": "Confluent's REST contract over the topic _schemas; Avro alone.",
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Schema": {
                    "type": "object",
                    "properties": {"schema": _TEXT, "schemaType": {"const": "AVRO"}},
                    "required": ["schema"],
                },
                "Config": {"type": "object", "properties": {"compatibility": _TEXT}, "required": ["compatibility"]},
                "Error": {
                    "type": "object",
                    "properties": {"error_code": {"type": "integer"}, "message": _TEXT},
                    "required": ["error_code", "message"],
                },
            }
        },
    }


def parameters_of(path: str) -> tuple[str, list[dict[str, Any]]]:
    """A path of Starlette's as OpenAPI writes it, and the parameters in it."""
    found = re.findall(r"{(\w+)(?::(\w+))?}", path)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer"} if kind == "int" else _TEXT}
        for name, kind in found
    ]
    return re.sub(r"{(\w+):\w+}", r"{\1}", path), parameters


def operation_id(method: str, path: str) -> str:
    """`get_subjects_subject_versions`."""
    return "_".join(_words([method.lower(), *re.split(r"[/{}]+", path)]))


def _words(parts: Iterable[str]) -> list[str]:
    return [part for part in parts if part]
