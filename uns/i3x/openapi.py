"""The OpenAPI 3.1 document of the i3X server, made of the table of calls. Pure."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from uns.i3x.app import PREFIX, STREAM

_TEXT: dict[str, Any] = {"type": "string"}
_IDS: dict[str, Any] = {"type": "array", "items": _TEXT}
_DEPTH = {"type": "integer", "minimum": 0, "description": "0: without an end, 1: the object alone"}
_TIME = {"type": "string", "format": "date-time"}
_MINE = {"clientId": _TEXT, "subscriptionId": _TEXT}


class Call(NamedTuple):
    """What a call is. `asks`: fields of its body, `must`: those that it needs; `gives`: schema of a result."""

    summary: str
    gives: str
    asks: Mapping[str, Any] = {}
    must: tuple[str, ...] = ()
    query: Mapping[str, str] = {}
    bulk: bool = False


CALLS: Mapping[tuple[str, str], Call] = {
    ("GET", "/info"): Call("Version and capabilities; free", "Info"),
    ("GET", "/namespaces"): Call("Namespaces of the types", "Namespace"),
    ("GET", "/objecttypes"): Call("Object types", "ObjectType", query={"namespaceUri": "of this namespace alone"}),
    ("POST", "/objecttypes/query"): Call("Object types by id", "ObjectType", {"elementIds": _IDS}, ("elementIds",), bulk=True),
    ("GET", "/relationshiptypes"): Call("Relationship types", "RelationshipType", query={"namespaceUri": "of this namespace alone"}),
    ("POST", "/relationshiptypes/query"): Call("Relationship types by id", "RelationshipType", {"elementIds": _IDS}, ("elementIds",), bulk=True),
    ("GET", "/objects"): Call("Objects", "Object", query={"typeElementId": "of this type alone", "root": "true: those without a parent", "includeMetadata": "true: with metadata"}),
    ("POST", "/objects/list"): Call("Objects by id", "Object", {"elementIds": _IDS, "includeMetadata": {"type": "boolean"}}, ("elementIds",), bulk=True),
    ("POST", "/objects/related"): Call("What objects are related to", "Related", {"elementIds": _IDS, "relationshipType": _TEXT, "includeMetadata": {"type": "boolean"}}, ("elementIds",), bulk=True),
    ("POST", "/objects/value"): Call("Values now", "Value", {"elementIds": _IDS, "maxDepth": _DEPTH}, ("elementIds",), bulk=True),
    ("POST", "/objects/history"): Call("Values of a span", "History", {"elementIds": _IDS, "startTime": _TIME, "endTime": _TIME, "maxDepth": _DEPTH}, ("startTime",), bulk=True),
    ("PUT", "/objects/value"): Call("Not implemented", "Nothing"),
    ("PUT", "/objects/history"): Call("Not implemented", "Nothing"),
    ("POST", "/subscriptions"): Call("Make a subscription", "Subscription", {"clientId": _TEXT, "displayName": _TEXT}, ("clientId",)),
    ("POST", "/subscriptions/list"): Call("Subscriptions by id", "Subscription", {"clientId": _TEXT, "subscriptionIds": _IDS}, ("clientId", "subscriptionIds"), bulk=True),
    ("POST", "/subscriptions/delete"): Call("Delete subscriptions", "Nothing", {"clientId": _TEXT, "subscriptionIds": _IDS}, ("clientId", "subscriptionIds"), bulk=True),
    ("POST", "/subscriptions/register"): Call("Add objects", "Nothing", {**_MINE, "elementIds": _IDS, "maxDepth": _DEPTH}, ("clientId", "subscriptionId", "elementIds"), bulk=True),
    ("POST", "/subscriptions/unregister"): Call("Take objects out", "Nothing", {**_MINE, "elementIds": _IDS}, ("clientId", "subscriptionId", "elementIds"), bulk=True),
    ("POST", "/subscriptions/sync"): Call("What waits, after what is acknowledged", "Batch", {**_MINE, "lastSequenceNumber": {"type": "integer", "minimum": -1}}, ("clientId", "subscriptionId")),
    ("POST", STREAM): Call("What comes, as server-sent events", "Update", dict(_MINE), ("clientId", "subscriptionId")),
}  # fmt: skip
_VQT: dict[str, Any] = {
    "value": {},
    "quality": {"enum": ["Good", "GoodNoData", "Bad", "Uncertain"]},
    "timestamp": _TIME,
}


def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), call in CALLS.items():
        paths.setdefault(PREFIX + path, {})[method.lower()] = _operation(method, path, call)
    about = {"title": "uns-backbone i3X", "version": version("uns-backbone"), "description": "i3X 1.0, read only."}
    schemes = {"bearer": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}}
    return {
        "openapi": "3.1.0",
        "info": about,
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": schemes},
    }


def _operation(method: str, path: str, call: Call) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": "_".join([method.lower(), *path.strip("/").split("/")]),
        "summary": call.summary,
        "security": [] if path == "/info" else [{}, {"bearer": []}, {"basic": []}],
        "responses": {**_good(method, path, call), "default": _json("Failure", "why it failed")},
    }
    if call.asks:
        schema = {"type": "object", "properties": dict(call.asks), "required": list(call.must)}
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if call.query:
        made["parameters"] = [
            {"name": name, "in": "query", "description": words, "schema": _TEXT} for name, words in call.query.items()
        ]
    return made


def _good(method: str, path: str, call: Call) -> dict[str, Any]:
    if method == "PUT":
        return {"501": _json("Failure", "values are not taken")}
    if path == STREAM:
        return {"200": {"description": "`data:` is an array of updates", "content": {"text/event-stream": {}}}}
    result = {"$ref": f"#/components/schemas/{call.gives}"}
    if call.bulk:
        item = _object(
            ("success",), success={"type": "boolean"}, elementId=_TEXT, subscriptionId=_TEXT, result=result,
            responseDetail={"$ref": "#/components/schemas/Detail"},
        )  # fmt: skip
        schema = _object(("success", "results"), success={"type": "boolean"}, results={"type": "array", "items": item})
    else:
        many = (method == "GET" and path != "/info") or path.endswith("/sync")
        whole = {"type": "array", "items": result} if many else result
        schema = _object(("success", "result"), success={"const": True}, result=whole)
    answer = {"description": "done", "content": {"application/json": {"schema": schema}}}
    partial = {"206": {**answer, "description": "not whole; responseDetail says why"}}
    return {"200": answer, **(partial if path.endswith(("/history", "/sync")) else {})}


def _json(name: str, words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _schemas() -> dict[str, Any]:
    vqt = _object(("value", "quality", "timestamp"), **_VQT)
    about = {"elementId": _TEXT, "displayName": _TEXT}
    typed = {**about, "namespaceUri": _TEXT}
    placed = {
        **about,
        "typeElementId": _TEXT,
        "parentId": {"type": ["string", "null"]},
        "isComposition": {"type": "boolean"},
    }
    update = _object(("elementId", "value", "quality", "timestamp"), elementId=_TEXT, **_VQT)
    composed = {"type": "object", "additionalProperties": vqt}
    return {
        "Info": _object(("specVersion", "capabilities"), specVersion=_TEXT, capabilities={"type": "object"}),
        "Namespace": _object(("uri", "displayName"), uri=_TEXT, displayName=_TEXT),
        "ObjectType": _object(("elementId", "schema"), **typed, sourceTypeId=_TEXT, version=_TEXT, schema={"type": "object"}),
        "RelationshipType": _object(("elementId", "reverseOf"), **typed, relationshipId=_TEXT, reverseOf=_TEXT),
        "Object": _object(tuple(placed), **placed, isExtended={"type": "boolean"}, metadata={"type": "object"}),
        "Related": {"type": "array", "items": _object(("sourceRelationship", "object"), sourceRelationship=_TEXT, object={"$ref": "#/components/schemas/Object"})},
        "Value": _object(("isComposition", "value", "quality", "timestamp"), isComposition={"type": "boolean"}, **_VQT, components=composed),
        "History": _object(("isComposition", "values"), isComposition={"type": "boolean"}, values={"type": "array", "items": vqt}),
        "Subscription": _object(("subscriptionId",), clientId=_TEXT, subscriptionId=_TEXT, displayName=_TEXT, monitoredObjects={"type": "array"}),
        "Update": update,
        "Batch": _object(("sequenceNumber", "updates"), sequenceNumber={"type": "integer"}, updates={"type": "array", "items": update}),
        "Detail": _object(("title", "status", "detail"), title=_TEXT, status={"type": "integer"}, detail=_TEXT),
        "Failure": _object(("success", "responseDetail"), success={"const": False}, responseDetail={"$ref": "#/components/schemas/Detail"}),
        "Nothing": {"type": "null"},
    }  # fmt: skip
