"""Targets of time series behind a front that misbehaves: a real InfluxDB 1, its answers in the words of 2 and 3, a real
QuestDB, and a PI Web API of ours; with what they hold in one form.

The words of 2 and 3 are InfluxData's documentation's: their servers could not be run here, so a real 1 stores the points.
"""

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.http.line_protocol import points
from tests.harness.front import Front
from tests.harness.influxd import Influxd
from tests.harness.pi_web_api import ARCHIVE, PiWebApi
from tests.harness.questdb import QuestDb
from uns.testing.component import SECRET

KINDS = ("influxdb-1", "influxdb-2", "influxdb-3", "questdb", "pi")
Key = tuple[str, str, Any]
Held = dict[Key, Any]
"""(path, tag, µs) of a sample, or (path, `downtime`, µs) → what is said there."""


@dataclass
class Subject:
    """`kind` of the sink, its configuration through `front`, and the target behind."""

    kind: str
    config: dict[str, Any]
    front: Front
    target: "InfluxTarget | QuestTarget | PiTarget"

    def held(self) -> Held:
        return self.target.held()


@dataclass
class InfluxTarget:
    server: Influxd
    name: str

    def held(self) -> Held:
        found: Held = {}
        for measurement, listed in self.server.points(self.name).items():
            for point in listed:
                if measurement == "samples" and "type" in point:  # else it is not ours
                    put(found, (point["path"], point["tag"], point["time"]), sample(point))
                elif measurement == "downtime":
                    put(found, (point["path"], "downtime", point["time"]), stop(point))
        return found


@dataclass
class QuestTarget:
    server: QuestDb
    prefix: str

    def held(self) -> Held:
        found: Held = {}
        for row in self.server.rows(f"{self.prefix}samples"):
            put(found, (row["path"], row["tag"], micros(row["at"])), sample(row))
        for row in self.server.rows(f"{self.prefix}downtime"):
            put(found, (row["path"], "downtime", micros(row["started_at"])), stop(row))
        return found


@dataclass
class PiTarget:
    server: PiWebApi

    def held(self) -> Held:
        found: Held = {}
        for name, listed in self.server.content().items():
            path, _, tag = name.rpartition(".")
            for moment, value in listed.items():
                if "#downtime@" in name:
                    place = name.partition("#")[0].rpartition(".")[2]
                    found.setdefault((place, "downtime", micros(moment)), {})[tag] = value
                else:
                    put(found, (path.replace(".", "/"), tag, micros(moment)), value)
        return found


def put(found: Held, key: Key, value: Any) -> None:
    assert key not in found, f"{key} stands there twice"
    found[key] = value


def micros(text: str) -> int:
    from schemas.text import micros as parsed

    return parsed(text)


def sample(named: Mapping[str, Any]) -> Any:
    """The value that `type` says counts."""
    its = named["type"]
    column = {"number": "value", "integer": "value_integer", "text": "value_text", "boolean": "value_boolean"}.get(its)
    return (its, None if column is None else named.get(column, named.get("value")), named["quality"])


def stop(named: Mapping[str, Any]) -> Any:
    counts = str(named.get("fields", "reason")).split(",")
    reason = named.get("reason") if "reason" in counts else None
    return {"reason": reason, "revision": named["revision"]}


def _version_2(front: Front, request: Request, body: bytes) -> Response | None:
    if request.url.path != "/api/v2/write":
        return None
    if request.headers.get("authorization") != f"Token {SECRET}":
        return JSONResponse({"code": "unauthorized", "message": "unauthorized access"}, 401)
    asked = request.query_params
    assert (asked["org"], asked["precision"]) == ("acme", "us")
    answer = front.forward("POST", "/write", f"db={asked['bucket']}&precision=u", body, {"Content-Encoding": "gzip"})
    if answer.status_code == 404:
        return JSONResponse({"code": "not found", "message": f'bucket "{asked["bucket"]}" not found'}, 404)
    if answer.status_code == 400:
        said = answer.json()["error"]
        if said.startswith("partial write"):
            message = f"failure writing points to database: {said}"
            return JSONResponse({"code": "unprocessable entity", "message": message}, 422)
        return JSONResponse({"code": "invalid", "message": said, "line": 1}, 400)
    return Response(status_code=answer.status_code)


def _version_3(front: Front, request: Request, body: bytes) -> Response | None:
    if request.url.path != "/api/v3/write_lp":
        return None
    if request.headers.get("authorization") != f"Bearer {SECRET}":
        return JSONResponse({"error": "the request was not authenticated"}, 401)
    asked = request.query_params
    assert (asked["precision"], asked["accept_partial"], asked["no_sync"]) == ("microsecond", "true", "false")
    whole = front.forward("POST", "/write", f"db={asked['db']}&precision=u", body, {"Content-Encoding": "gzip"})
    if whole.status_code == 204:
        return Response(status_code=204)
    wrong = []
    for number, point in enumerate(points(gzip.decompress(body).decode()), 1):
        answer = front.forward("POST", "/write", f"db={asked['db']}&precision=u", point.line.encode(), {})
        if answer.status_code != 204:
            line = {"original_line": point.line[:200], "line_number": number}
            wrong.append({**line, "error_message": answer.json()["error"]})
    if wrong:
        return JSONResponse({"error": "partial write of line protocol occurred", "data": wrong}, 400)
    return Response(status_code=204)


@contextmanager
def influx(server: Influxd, name: str, version: int) -> Iterator[Subject]:
    server.query(f'CREATE DATABASE "{name}"')
    front = Front(server.url, translate={1: None, 2: _version_2, 3: _version_3}[version])
    where: dict[str, Any] = {1: {"database": name}, 2: {"org": "acme", "bucket": name, "token": SECRET}, 3: {"database": name, "token": SECRET}}[version]  # fmt: skip
    config = {"url": front.url, "version": version, "timeout_s": 1, **where}
    try:
        with front.serving():
            yield Subject("influxdb", config, front, InfluxTarget(server, name))
    finally:
        server.query(f'DROP DATABASE "{name}"')


@contextmanager
def quest(server: QuestDb, name: str) -> Iterator[Subject]:
    prefix = name.replace("-", "_") + "_"
    front = Front(server.address)
    config = {"url": front.url, "timeout_s": 1, "table_prefix": prefix}
    try:
        with front.serving():
            yield Subject("questdb", config, front, QuestTarget(server, prefix))
    finally:
        for row in server.sql(f"SELECT table_name FROM tables() WHERE table_name LIKE '{prefix}%'"):
            server.sql(f'DROP TABLE "{row["table_name"]}"')


@contextmanager
def pi() -> Iterator[Subject]:
    with PiWebApi().serving() as server:
        front = Front(server.url.removesuffix("/piwebapi"))
        config = {
            "url": f"{front.url}/piwebapi",
            "timeout_s": 1,
            "data_server": ARCHIVE,
            "create": True,
            "fields": {"downtime": ["reason", "revision"]},
        }
        with front.serving():
            yield Subject("pi", config, front, PiTarget(server))
