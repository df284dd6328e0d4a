"""Kafka Connect's REST contract: what consoles ask, and the three actions. What the plant model says nobody changes here."""

import socket
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from uns.runners.connect.status import Part, Seen, info, read, status, task
from uns.runtime import wish
from uns.runtime.access import Access, loopback

log = structlog.get_logger()

KAFKA = "4.2.2"
"""The version of Connect whose contract this is."""


class Workers:
    """Each is called in a thread. Raises `HTTPException`."""

    def __init__(self, parts: dict[str, Part], state_dirs: list[Path], cluster: str) -> None:
        self.parts, self.state_dirs, self.cluster = parts, state_dirs, cluster
        self.worker = f"{socket.gethostname()}:{version('uns-backbone')}"

    def root(self, request: Request) -> Any:
        return {"version": KAFKA, "commit": f"uns-backbone {version('uns-backbone')}", "kafka_cluster_id": self.cluster}

    def connectors(self, request: Request) -> Any:
        expand = request.query_params.getlist("expand")
        if not expand:
            return sorted(self.parts)
        seen = read(self.state_dirs)
        made: dict[str, dict[str, Any]] = {}
        for name, part in sorted(self.parts.items()):
            both = {"info": lambda part=part: info(part), "status": lambda part=part: self._status(part, seen(part))}
            made[name] = {word: both[word]() for word in expand if word in both}
        return made

    def connector(self, request: Request) -> Any:
        return info(self._part(request))

    def config(self, request: Request) -> Any:
        return info(self._part(request))["config"]

    def status(self, request: Request) -> Any:
        part = self._part(request)
        return self._status(part, self._seen(part))

    def topics(self, request: Request) -> Any:
        part = self._part(request)
        return {part.name: {"topics": list(part.topics)}}

    def tasks(self, request: Request) -> Any:
        part = self._part(request)
        return [{"id": {"connector": part.name, "task": 0}, "config": dict(part.config)}]

    def tasks_config(self, request: Request) -> Any:
        part = self._part(request)
        return {f"{part.name}-0": dict(part.config)}

    def task_status(self, request: Request) -> Any:
        part = self._task(request)
        return task(self._seen(part), self.worker, time.time())

    def plugins(self, request: Request) -> Any:
        kinds = sorted({(part.config["connector.class"], part.type) for part in self.parts.values()})
        return [{"class": class_, "type": type_, "version": version("uns-backbone")} for class_, type_ in kinds]

    # -- actions -----------------------------------------------------------------------------------------------

    def pause(self, request: Request) -> Response:
        return self._wish(self._part(request), 202, paused=True)

    def resume(self, request: Request) -> Response:
        return self._wish(self._part(request), 202, paused=False)

    def restart(self, request: Request) -> Response:
        return self._wish(self._part(request), 204, restart=True)

    def restart_task(self, request: Request) -> Response:
        return self._wish(self._task(request), 204, restart=True)

    def _wish(self, part: Part, code: int, paused: bool | None = None, restart: bool = False) -> Response:
        folder = self._seen(part).folder
        if folder is None:
            raise HTTPException(409, f"{part.name} has never run on this machine: ask the one where it runs")
        try:
            wish.write(folder, paused, restart)
        except OSError as error:
            raise HTTPException(500, f"the wish cannot be written: {error.strerror}") from error
        log.warning("wished", part=part.name, paused=paused, restart=restart)
        return Response(status_code=code)

    def _status(self, part: Part, seen: Seen) -> dict[str, Any]:
        return status(part, seen, self.worker, time.time())

    def _seen(self, part: Part) -> Seen:
        return read(self.state_dirs)(part)

    def _part(self, request: Request) -> Part:
        name = request.path_params["name"]
        if name not in self.parts:
            raise HTTPException(404, f"Connector {name} not found")
        return self.parts[name]

    def _task(self, request: Request) -> Part:
        part, number = self._part(request), request.path_params["task"]
        if number != 0:
            raise HTTPException(404, f"Task {number} of {part.name} not found: each has the task 0 alone")
        return part


ROUTES: tuple[tuple[str, str, Callable[[Workers, Request], Any]], ...] = (
    ("GET", "/", Workers.root),
    ("GET", "/connectors", Workers.connectors),
    ("GET", "/connectors/{name}", Workers.connector),
    ("GET", "/connectors/{name}/config", Workers.config),
    ("GET", "/connectors/{name}/status", Workers.status),
    ("GET", "/connectors/{name}/topics", Workers.topics),
    ("GET", "/connectors/{name}/tasks", Workers.tasks),
    ("GET", "/connectors/{name}/tasks-config", Workers.tasks_config),
    ("GET", "/connectors/{name}/tasks/{task:int}/status", Workers.task_status),
    ("GET", "/connector-plugins", Workers.plugins),
    ("PUT", "/connectors/{name}/pause", Workers.pause),
    ("PUT", "/connectors/{name}/resume", Workers.resume),
    ("POST", "/connectors/{name}/restart", Workers.restart),
    ("POST", "/connectors/{name}/tasks/{task:int}/restart", Workers.restart_task),
)


def create(workers: Workers, access: Access) -> Starlette:
    """The web application. Without credentials it answers only requests to this machine's own names, from no other page."""

    def route(method: str, path: str, call: Callable[[Workers, Request], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            check(request, access)
            answer = await run_in_threadpool(call, workers, request)
            return answer if isinstance(answer, Response) else JSONResponse(answer)

        return Route(path, endpoint, methods=[method])

    return Starlette(
        routes=[route(*each) for each in ROUTES],
        exception_handlers={HTTPException: _error, Exception: _unforeseen},
    )


def check(request: Request, access: Access) -> None:
    """Raises `HTTPException` for who may not ask."""
    host = request.headers.get("host", "")
    if not access.required and not loopback(host):
        raise HTTPException(403, "this server has no credentials and answers only as localhost or 127.0.0.1")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise HTTPException(403, "asked by a page of another host")
    if not access.allows(request.headers.get("authorization", "")):
        raise HTTPException(401, "credentials are missing or not known", {"www-authenticate": 'Basic realm="connect"'})


async def _error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = error.detail
    if error.status_code == 405 or (error.status_code == 404 and words == "Not Found"):
        words = f"{request.method} {request.url.path} is not served: connectors and sinks are those of the plant model"
    return JSONResponse({"error_code": error.status_code, "message": words}, error.status_code, error.headers)


async def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return JSONResponse({"error_code": 500, "message": f"error in the server: {type(error).__name__}"}, 500)
