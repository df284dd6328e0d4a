"""A server that answers as AVEVA's public reference of PI Web API says: points, their values, a status for each value.

Ours, for want of a real one: what the reference leaves open (words, limits of a type) is a guess here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.harness.serving import serving
from uns.runtime.ports import free_port

ARCHIVE = "PI1"
TEXT_MAX = 976
_NUMBERS = {"Int16": int, "Int32": int, "Float16": float, "Float32": float, "Float64": float}


@dataclass
class PiPoint:
    type: str
    states: tuple[str, ...] = ()
    """Of a digital point."""
    values: dict[str, Any] = field(default_factory=dict)
    """Time → value."""
    doubled: list[str] = field(default_factory=list)
    """Times at which the value is there once more: an archive can hold several of one time."""
    writable: bool = True


@dataclass
class PiWebApi:
    """`points` by name."""

    port: int = field(default_factory=free_port)
    points: dict[str, PiPoint] = field(default_factory=dict)
    requests: int = 0
    flat: bool = False
    """Statuses in one list rather than a list a stream."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/piwebapi"

    def content(self) -> dict[str, dict[str, Any]]:
        return {name: dict(sorted(point.values.items())) for name, point in sorted(self.points.items()) if point.values}

    async def archive(self, request: Request) -> Response:
        if request.query_params.get("path") != f"\\\\{ARCHIVE}":
            return _errors(404, "The specified data server was not found.")
        return JSONResponse({"WebId": f"DS-{ARCHIVE}", "Name": ARCHIVE})

    async def point(self, request: Request) -> Response:
        server, _, name = request.query_params.get("path", "").removeprefix("\\\\").partition("\\")
        if server != ARCHIVE or name not in self.points:
            return _errors(404, "The specified PI Point was not found.")
        return JSONResponse({"WebId": self._web_id(name), "PointType": self.points[name].type})

    async def create(self, request: Request) -> Response:
        if "x-requested-with" not in request.headers:
            return _errors(400, "Missing required header: X-Requested-With")
        body = await request.json()
        if body["Name"] in self.points:
            return _errors(409, "PI Point already exists.")
        if body["PointType"] not in (*_NUMBERS, "String"):
            return _errors(400, f"PointType {body['PointType']} is not supported.")
        self.points[body["Name"]] = PiPoint(body["PointType"])
        return Response(status_code=201, headers={"Location": f"{self.url}/points/{self._web_id('x')}"})

    async def recorded(self, request: Request) -> Response:
        self.requests += 1
        if "x-requested-with" not in request.headers:
            return _errors(400, "Missing required header: X-Requested-With")
        if request.query_params.get("bufferOption") != "DoNotBuffer":
            return Response(status_code=202)
        option, streams = request.query_params.get("updateOption", "Replace"), await request.json()
        stated = [{"Items": [self._put(stream["WebId"], one, option) for one in stream["Items"]]} for stream in streams]
        every = [one for stream in stated for one in stream["Items"]]
        if all(one["Substatus"] == 204 for one in every):
            return Response(status_code=204)
        return JSONResponse({"Items": every if self.flat else stated}, 207)

    async def values(self, request: Request) -> Response:
        """Recorded values of a stream, both ends within."""
        name = bytes.fromhex(request.path_params["web_id"].removeprefix("P-")).decode()
        if name not in self.points:
            return _errors(404, "The specified object was not found.")
        point, asked = self.points[name], request.query_params
        begin, end = _time(asked["startTime"]), _time(asked["endTime"])
        times = sorted([*point.values, *(time for time in point.doubled if time in point.values)])
        within = [time for time in times if begin <= _time(time) <= end][: int(asked["maxCount"])]
        return JSONResponse(
            {"Items": [{"Timestamp": f"{time[:-1]}0Z", "Value": point.values[time]} for time in within]}
        )

    def _put(self, web_id: str, one: dict[str, Any], option: str) -> dict[str, Any]:
        point = next((its for name, its in self.points.items() if self._web_id(name) == web_id), None)
        if point is None:
            return _status(404, "The specified object was not found.")
        if not point.writable:
            return _status(403, "Secure object - Insufficient privileges.")
        if option == "Remove":
            point.values.pop(one["Timestamp"], None)
            return _status(204)
        value = one["Value"]
        if not isinstance(value, dict) and (problem := _unfit(point, value)):
            return _status(400, problem)
        point.values[one["Timestamp"]] = value["Name"] if isinstance(value, dict) else value
        return _status(204)

    def _web_id(self, name: str) -> str:
        return f"P-{name.encode().hex()}"

    @property
    def app(self) -> Starlette:
        root = "/piwebapi"
        return Starlette(
            routes=[
                Route(f"{root}/dataservers", self.archive),
                Route(f"{root}/dataservers/DS-{ARCHIVE}/points", self.create, methods=["POST"]),
                Route(f"{root}/points", self.point),
                Route(f"{root}/streams/{{web_id}}/recorded", self.values),
                Route(f"{root}/streamsets/recorded", self.recorded, methods=["POST"]),
            ]
        )

    @contextmanager
    def serving(self) -> Iterator["PiWebApi"]:
        with serving(self.app, self.port):
            yield self


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _unfit(point: PiPoint, value: Any) -> str | None:
    if point.type == "String":
        too_long = isinstance(value, str) and len(value) > TEXT_MAX
        return f"A text has at most {TEXT_MAX} characters." if too_long or not isinstance(value, str) else None
    if point.type == "Digital":
        known = value in point.states if isinstance(value, str) else value in range(len(point.states))
        return None if known else "Digital State Not Found."
    return None if isinstance(value, int | float) and not isinstance(value, bool) else "Type mismatch."


def _status(number: int, words: str = "") -> dict[str, Any]:
    return {"Substatus": number, "Message": words, "WebException": None}


def _errors(status: int, words: str) -> Response:
    return JSONResponse({"Errors": [words]}, status)
