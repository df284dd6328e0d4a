"""`GET /topics-api/values` and `/topics-api/readers`: what is looked up in the log for the topic browser."""

import asyncio
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from topology.namespace.path import BadPath, Level, Path
from uns.web.access.roles import ANYBODY, Role, Who
from uns.web.browser.values import Log, Remembered

AT_ONCE = 3
"""Looks into the log at once; others wait, and those beyond `WAITING_MAX` are sent away."""
WAITING_MAX = 30
TAG_MAX = 256


class Looks:
    """Makes the routes."""

    def __init__(self, log: Log) -> None:
        self._log, self._remembered = log, Remembered(log)
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    def routes(self) -> list[BaseRoute]:
        return [Route("/topics-api/values", self._values), Route("/topics-api/readers", self._readers)]

    async def _values(self, request: Request) -> Response:
        """`path`, `tag`; with `after`, an offset: what came since."""
        tag, after = request.query_params.get("tag", ""), request.query_params.get("after")
        if not 0 < len(tag) <= TAG_MAX or not (after is None or (after.isdigit() and len(after) < 18)):
            return JSONResponse({"problem": "a tag is expected, and after: an offset"}, 422)
        return await self._looked(
            request, lambda path: self._log.values(path, tag, None if after is None else int(after))
        )

    async def _readers(self, request: Request) -> Response:
        return await self._looked(request, lambda path: {"readers": self._remembered.readers(path)})

    async def _looked(self, request: Request, look: Callable[[Path], dict[str, Any]]) -> Response:
        text = request.query_params.get("path", "")
        who: Who = getattr(request.state, "who", ANYBODY)
        if not who.may(Role.VIEWER, text):
            return JSONResponse({"problem": f"{who.name} may not look at {text}"}, 403)
        try:
            path = Path.parse(text)
        except BadPath as error:
            return JSONResponse({"problem": str(error)}, 422)
        if path.level < Level.CELL:
            return JSONResponse({"problem": f"{path} is no machine"}, 422)
        if self._waiting >= WAITING_MAX:
            return JSONResponse({"problem": "many look into the log just now; try again"}, 503)
        self._waiting += 1
        try:
            async with self._free:
                return JSONResponse(await asyncio.to_thread(look, path))
        except (KafkaException, TimeoutError) as error:
            return JSONResponse({"problem": f"Kafka: {error}"}, 503)
        finally:
            self._waiting -= 1
