"""`POST /act/<kind>`: where deeds come in over HTTP, and what is answered."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from topology.model.plant import Plant
from uns.web.access.roles import ANYBODY, Role, Who
from uns.web.act.desk import Answer, Desk
from uns.web.act.offer import offer

BODY_MAX = 64 * 1024


def routes(desk: Desk, plant: Plant | None) -> list[BaseRoute]:
    """Who does it is `state.who`, as the gate has set it. `GET /act/offer?path=…`: what can be told of a place."""

    async def offers(request: Request) -> Response:
        path = request.query_params.get("path", "")
        who: Who = getattr(request.state, "who", ANYBODY)
        if not who.may(Role.VIEWER, path):
            return JSONResponse({"problem": f"{who.name} may not look at {path}"}, 403)
        found = None if plant is None else offer(plant, path)
        return JSONResponse({"problem": f"no machine or line {path}"}, 404) if found is None else JSONResponse(found)

    async def act(request: Request) -> Response:
        said = await _said(request)
        if said is None:
            return _told(Answer(422, f"a JSON object of at most {BODY_MAX} bytes is expected"))
        who: Who = getattr(request.state, "who", ANYBODY)
        return _told(await desk.take(request.path_params["kind"], said, who))

    return [Route("/act/offer", offers), Route("/act/{kind}", act, methods=["POST"])]


async def _said(request: Request) -> dict[str, Any] | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            return None
    try:
        said = json.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _told(answer: Answer) -> Response:
    said: dict[str, Any] = {"undo": answer.undo, "again": answer.again}
    if answer.problem is not None:
        said = {"problem": answer.problem, "confirm": answer.confirm}
    return JSONResponse(said, answer.status)
