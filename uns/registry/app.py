"""Confluent's REST contract over the schema log. AVRO only; every answer and error code as its clients expect them."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from schemas.compatibility import InvalidSchema, Level, check, problems
from uns.registry.log import NotWritten, SchemaLog
from uns.registry.routes import ROUTES
from uns.registry.store import SchemaStore, Version, config_record, delete_record, removal_records, schema_record

logger = structlog.get_logger()

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class RegistryResponse(JSONResponse):
    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        # In ASCII: the words of an error may repeat a text that is no Unicode.
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class Text(PlainTextResponse):
    """A schema alone, as it was registered."""

    media_type = MEDIA_TYPE


class ErrorAnswer(Exception):
    """An error answer: HTTP status, Confluent's code, words."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


Handler = Callable[["Operations", Request, dict[str, Any]], Any]


class Operations:
    """Confluent's operations; each is called in a thread, writes one at a time."""

    def __init__(self, log: SchemaLog) -> None:
        self.log = log

    @property
    def store(self) -> SchemaStore:
        return self.log.store

    # -- subjects ----------------------------------------------------------------------------------------------

    def subjects(self, request: Request, body: dict[str, Any]) -> Any:
        prefix = request.query_params.get("subjectPrefix", "")
        return [name for name in self.store.names(_deleted(request)) if name.startswith(prefix.removeprefix(":*:"))]

    def look_up(self, request: Request, body: dict[str, Any]) -> Any:
        subject, schema = request.path_params["subject"], _schema(body)
        self._subject(subject, _deleted(request))
        version = self.store.find(subject, schema, _deleted(request))
        if version is None:
            raise ErrorAnswer(404, 40403, "Schema not found")
        return _version(version)

    def delete_subject(self, request: Request, body: dict[str, Any]) -> Any:
        subject, permanent = request.path_params["subject"], request.query_params.get("permanent") == "true"
        versions = self._subject(subject, True)
        if not permanent and not (versions := self.store.versions(subject)):
            raise ErrorAnswer(
                404, 40404, f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently"
            )
        if permanent:
            if any(not version.deleted for version in versions):
                raise ErrorAnswer(
                    404, 40405, f"Subject '{subject}' was not deleted first before being permanently deleted"
                )
            self.log.write(removal_records(versions, self.store.highest_id))
        else:
            self.log.write([delete_record(subject, versions[-1].version)])
        return [version.version for version in versions]

    # -- versions ----------------------------------------------------------------------------------------------

    def versions(self, request: Request, body: dict[str, Any]) -> Any:
        return [version.version for version in self._subject(request.path_params["subject"], _deleted(request))]

    def version(self, request: Request, body: dict[str, Any]) -> Any:
        return _version(self._version(request))

    def version_schema(self, request: Request, body: dict[str, Any]) -> Any:
        return Text(self._version(request).schema)

    def referenced_by(self, request: Request, body: dict[str, Any]) -> Any:
        self._version(request)
        return []

    def register(self, request: Request, body: dict[str, Any]) -> Any:
        subject, schema = request.path_params["subject"], _schema(body)
        if (known := self.store.find(subject, schema)) is not None:
            return {"id": known.id}
        earlier = {version.version: version.schema for version in self.store.versions(subject)}
        if conflicts := problems(schema, earlier, self.store.level_of(subject)):
            raise ErrorAnswer(
                409,
                409,
                f"Schema being registered is incompatible with an earlier schema for subject {subject!r}: {'; '.join(conflicts)}",
            )
        id_ = self.store.id_of(schema) or self.store.next_id()
        self.log.write([schema_record(Version(subject, self.store.next_version(subject), id_, schema))])
        return {"id": id_}

    def delete_version(self, request: Request, body: dict[str, Any]) -> Any:
        permanent = request.query_params.get("permanent") == "true"
        numbered = request.path_params["version"].isdecimal()
        version = self._version(request, deleted=permanent or numbered)
        if version.deleted and not permanent:
            raise ErrorAnswer(
                404,
                40406,
                f"Subject '{version.subject}' Version {version.version} was soft deleted. Set permanent=true to delete permanently",
            )
        if permanent and not version.deleted:
            raise ErrorAnswer(
                404,
                40407,
                f"Subject '{version.subject}' Version {version.version} was not deleted first before being permanently deleted",
            )
        if permanent:
            self.log.write(removal_records([version], self.store.highest_id))
        else:
            self.log.write([schema_record(replace(version, deleted=True))])
        return version.version

    # -- ids ---------------------------------------------------------------------------------------------------

    def by_id(self, request: Request, body: dict[str, Any]) -> Any:
        version = self._with_id(request)[0]
        return {"schema": version.schema, **_foreign(version)}

    def by_id_schema(self, request: Request, body: dict[str, Any]) -> Any:
        return Text(self._with_id(request)[0].schema)

    def by_id_subjects(self, request: Request, body: dict[str, Any]) -> Any:
        return sorted(
            {version.subject for version in self._with_id(request) if not version.deleted or _deleted(request)}
        )

    def by_id_versions(self, request: Request, body: dict[str, Any]) -> Any:
        versions = [version for version in self._with_id(request) if not version.deleted or _deleted(request)]
        return [{"subject": version.subject, "version": version.version} for version in versions]

    def types(self, request: Request, body: dict[str, Any]) -> Any:
        return ["AVRO"]

    # -- compatibility -----------------------------------------------------------------------------------------

    def compatible(self, request: Request, body: dict[str, Any]) -> Any:
        subject, schema = request.path_params["subject"], _schema(body)
        level = self.store.level_of(subject)
        if "version" in request.path_params:
            against = [self._version(request)]
            level = Level(level.removesuffix("_TRANSITIVE"))
        else:
            against = self._subject(subject, False)
        conflicts = problems(schema, {version.version: version.schema for version in against}, level)
        answer: dict[str, Any] = {"is_compatible": not conflicts}
        if request.query_params.get("verbose") == "true":
            answer["messages"] = conflicts
        return answer

    def config(self, request: Request, body: dict[str, Any]) -> Any:
        subject = request.path_params.get("subject")
        if subject is None:
            return {"compatibilityLevel": self.store.level}
        level = self.store.levels.get(subject)
        if level is None and request.query_params.get("defaultToGlobal") != "true":
            raise ErrorAnswer(404, 40408, f"Subject '{subject}' does not have subject-level compatibility configured")
        return {"compatibilityLevel": level or self.store.level}

    def set_config(self, request: Request, body: dict[str, Any]) -> Any:
        try:
            level = Level(str(body.get("compatibility")).upper())
        except ValueError:
            raise ErrorAnswer(422, 42203, f"Invalid compatibility level. Valid values are {', '.join(Level)}") from None
        self.log.write([config_record(request.path_params.get("subject"), level)])
        return {"compatibility": level}

    def delete_config(self, request: Request, body: dict[str, Any]) -> Any:
        subject = request.path_params.get("subject")
        before = self.store.level if subject is None else self.store.level_of(subject)
        self.log.write([config_record(subject, None)])
        return {"compatibility": before}

    def mode(self, request: Request, body: dict[str, Any]) -> Any:
        return {"mode": "READONLY" if self.log.fenced else "READWRITE"}

    def root(self, request: Request, body: dict[str, Any]) -> Any:
        return {}

    # -- finding -----------------------------------------------------------------------------------------------

    def _subject(self, subject: str, deleted: bool) -> list[Version]:
        versions = self.store.versions(subject, deleted)
        if not versions:
            raise ErrorAnswer(404, 40401, f"Subject '{subject}' not found.")
        return versions

    def _version(self, request: Request, deleted: bool | None = None) -> Version:
        wanted = request.path_params["version"]
        versions = self._subject(request.path_params["subject"], _deleted(request) if deleted is None else deleted)
        if wanted in ("latest", "-1"):
            return versions[-1]
        if not wanted.isdecimal() or int(wanted) < 1:
            raise ErrorAnswer(
                422,
                42202,
                f"The specified version '{wanted}' is not a valid version id. Allowed are numbers from 1 and 'latest'",
            )
        for version in versions:
            if version.version == int(wanted):
                return version
        raise ErrorAnswer(404, 40402, f"Version {wanted} not found.")

    def _with_id(self, request: Request) -> list[Version]:
        versions = self.store.with_id(request.path_params["id"])
        if not versions:
            raise ErrorAnswer(404, 40403, f"Schema {request.path_params['id']} not found")
        return versions


def _deleted(request: Request) -> bool:
    return request.query_params.get("deleted") == "true"


def _schema(body: dict[str, Any]) -> str:
    kind = body.get("schemaType") or "AVRO"
    if kind != "AVRO":
        raise ErrorAnswer(422, 42201, f"Invalid schema type {kind}: this registry keeps AVRO")
    if body.get("references"):
        raise ErrorAnswer(
            422, 42201, "Invalid schema: references are not supported; put the named types inside the schema"
        )
    text = body.get("schema")
    if not isinstance(text, str):
        raise ErrorAnswer(422, 42201, "Invalid schema: the body has no text in 'schema'")
    try:
        text.encode()
        check(text)
    except UnicodeEncodeError:
        raise ErrorAnswer(422, 42201, "Invalid schema: text that is no Unicode (half of a surrogate pair)") from None
    except InvalidSchema as error:
        raise ErrorAnswer(422, 42201, f"Invalid schema: {error}") from error
    except RecursionError:
        raise ErrorAnswer(422, 42201, "Invalid schema: nested too deep") from None
    return text


def _version(version: Version) -> dict[str, Any]:
    return {
        "subject": version.subject,
        "version": version.version,
        "id": version.id,
        "schema": version.schema,
        **_foreign(version),
    }


def _foreign(version: Version) -> dict[str, Any]:
    """What clients must know of a schema that another registry wrote; absent means AVRO."""
    return {name: version.rest[name] for name in ("schemaType", "references") if version.rest.get(name)}


def create(log: SchemaLog) -> Starlette:
    """The web application over an opened log."""
    operations = Operations(log)

    def route(path: str, method: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answer(log, handler, operations, request)

        return Route(path, endpoint, methods=[method])

    async def ready(request: Request) -> Response:
        return PlainTextResponse(log.problem or "ok", status_code=503 if log.problem else 200)

    return Starlette(
        routes=[
            *(route(each.path, each.method, getattr(Operations, each.handler)) for each in ROUTES),
            Route("/health/live", lambda request: PlainTextResponse("ok")),
            Route("/health/ready", ready),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _unforeseen},
    )


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = f"HTTP {status}: {request.method} {request.url.path}"
    return RegistryResponse({"error_code": status, "message": words}, status_code=status)


async def _unforeseen(request: Request, error: Exception) -> Response:
    logger.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return RegistryResponse(
        {"error_code": 50001, "message": f"Error in the registry: {type(error).__name__}"}, status_code=500
    )


async def _answer(log: SchemaLog, handler: Handler, operations: Operations, request: Request) -> Response:
    try:
        text = await request.body()
        body = json.loads(text) if text else {}
        if not isinstance(body, dict):
            raise ValueError("an object is expected")
    except (ValueError, RecursionError) as error:
        return RegistryResponse({"error_code": 400, "message": f"the body is not JSON: {error}"}, status_code=400)

    def call() -> Any:
        # One request that writes at a time, from its first look at the store until its records are read back: `lock`
        # alone is let go while the write waits for them, and the next request would give the same id again.
        with nullcontext() if request.method == "GET" else log.writing, log.lock:
            return handler(operations, request, body)

    try:
        result = await run_in_threadpool(call)
        return result if isinstance(result, Response) else RegistryResponse(result)
    except ErrorAnswer as refused:
        return RegistryResponse({"error_code": refused.code, "message": str(refused)}, status_code=refused.status)
    except NotWritten as error:
        return RegistryResponse({"error_code": 50001, "message": str(error)}, status_code=500)
