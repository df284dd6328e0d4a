"""A small MES and CMMS to write to: REST over SQLite, and like most of their kind without idempotency keys.

It keeps every object and every request, so that what is missing or twice can be counted afterwards. With `--flaky` a
seeded share of the requests that change something fail: before they take effect, or after.
"""

import argparse
import json
import sqlite3
import time
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from random import Random
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

KINDS: dict[str, dict[str, type]] = {
    "confirmations": {"order": str, "operation": str, "yield": int, "scrap": int, "external_id": str},
    "work_orders": {"title": str, "asset": str, "external_id": str},
}
"""Table → fields that must be there."""
PRIORITIES = ("NONE", "LOW", "MEDIUM", "HIGH")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, external_id TEXT NOT NULL,
    content TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS request (at REAL NOT NULL, method TEXT NOT NULL, url TEXT NOT NULL, status INTEGER NOT NULL);
"""


class Store:
    """Objects of both kinds in one file."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode=WAL;" + _SCHEMA)

    def create(self, kind: str, content: dict[str, Any]) -> int:
        now = time.time()
        row = (kind, content["external_id"], json.dumps(content), now, now)
        cursor = self._db.execute(
            "INSERT INTO object (kind, external_id, content, created_at, updated_at) VALUES (?, ?, ?, ?, ?)", row
        )
        return int(cursor.lastrowid or 0)

    def find(self, kind: str, external_id: str | None = None) -> list[dict[str, Any]]:
        query, values = "SELECT id, content FROM object WHERE kind = ?", [kind]
        if external_id is not None:
            query, values = f"{query} AND external_id = ?", [kind, external_id]
        return [{**json.loads(content), "id": id_} for id_, content in self._db.execute(f"{query} ORDER BY id", values)]

    def get(self, kind: str, id_: int) -> dict[str, Any] | None:
        row = self._db.execute("SELECT content FROM object WHERE kind = ? AND id = ?", (kind, id_)).fetchone()
        return None if row is None else {**json.loads(row[0]), "id": id_}

    def change(self, kind: str, id_: int, fields: dict[str, Any]) -> dict[str, Any] | None:
        known = self.get(kind, id_)
        if known is None:
            return None
        changed = {**known, **fields, "id": id_}
        content = json.dumps({name: value for name, value in changed.items() if name != "id"})
        row = (changed["external_id"], content, time.time(), id_)
        self._db.execute("UPDATE object SET external_id = ?, content = ?, updated_at = ? WHERE id = ?", row)
        return changed

    def heard(self, method: str, url: str, status: int) -> None:
        self._db.execute("INSERT INTO request VALUES (?, ?, ?, ?)", (time.time(), method, url, status))

    def stats(self) -> dict[str, int]:
        counts = dict(self._db.execute("SELECT kind, count(*) FROM object GROUP BY kind"))
        (requests,) = self._db.execute("SELECT count(*) FROM request").fetchone()
        return {kind: counts.get(kind, 0) for kind in KINDS} | {"requests": requests}


def received(file: Path, kind: str) -> list[str]:
    """External ids of every object of a kind, once for each time it was created."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
    try:
        return [
            row[0] for row in connection.execute("SELECT external_id FROM object WHERE kind = ? ORDER BY id", (kind,))
        ]
    finally:
        connection.close()


class Refused(Exception):
    """An answer other than what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def application(store: Store, flaky: float = 0.0, seed: int = 1) -> Starlette:
    """The server. `flaky`: share of changing requests that fail, half of them after they have taken effect."""
    objects = _Objects(store, flaky, seed)

    async def stats(request: Request) -> Response:
        return JSONResponse(store.stats())

    async def page(request: Request) -> Response:
        lists = "".join(
            f"<h2>{kind}</h2><ul>"
            + "".join(f"<li>{escape(json.dumps(item))}</li>" for item in store.find(kind))
            + "</ul>"
            for kind in KINDS
        )
        return HTMLResponse(f"<title>demo MES and CMMS</title>{lists}")

    return Starlette(
        routes=[
            *objects.routes("/mes/confirmations", "confirmations"),
            *objects.routes("/cmms/work-orders", "work_orders"),
            Route("/stats", stats),
            Route("/", page),
        ]
    )


class _Objects:
    """The requests about objects of one store, each kind under a prefix of its own."""

    def __init__(self, store: Store, flaky: float, seed: int) -> None:
        self._store, self._flaky, self._chance = store, flaky, Random(seed)

    def routes(self, prefix: str, kind: str) -> list[Route]:
        store = self._store

        async def collection(request: Request) -> Response:
            body = await _body(request) if request.method == "POST" else {}

            def act() -> tuple[int, Any]:
                if request.method == "GET":
                    return 200, store.find(kind, request.query_params.get("external_id"))
                return 201, {**body, "id": store.create(kind, _valid(kind, body, KINDS[kind]))}

            return self._answer(request, act)

        async def single(request: Request) -> Response:
            body = await _body(request) if request.method == "PATCH" else {}
            id_ = int(request.path_params["id"])

            def act() -> tuple[int, Any]:
                if request.method == "GET":
                    held = store.get(kind, id_)
                else:
                    held = store.change(kind, id_, _valid(kind, body, body.keys() & KINDS[kind]))
                if held is None:
                    raise Refused(404, f"there is no {kind} {id_}")
                return 200, held

            return self._answer(request, act)

        return [
            Route(prefix, collection, methods=["GET", "POST"]),
            Route(f"{prefix}/{{id:int}}", single, methods=["GET", "PATCH"]),
        ]

    def _answer(self, request: Request, act: Callable[[], tuple[int, Any]]) -> Response:
        fails = request.method != "GET" and self._chance.random() < self._flaky
        late = self._chance.random() < 0.5 if fails else False
        try:
            if fails and not late:
                raise Refused(503, "too busy")
            status, content = act()
            if fails:
                raise Refused(500, "the answer got lost")
        except Refused as refused:
            status, content = refused.status, {"message": str(refused)}
        self._store.heard(request.method, str(request.url.path), status)
        return JSONResponse(content, status_code=status)


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _valid(kind: str, body: dict[str, Any], required: Iterable[str]) -> dict[str, Any]:
    if not body:
        raise Refused(422, "a JSON object with fields is required")
    for name in sorted(required):
        expected = KINDS[kind][name]
        if not isinstance(body.get(name), expected) or isinstance(body.get(name), bool):
            raise Refused(422, f"{name}: a {expected.__name__} is required")
    if body.get("priority", "NONE") not in PRIORITIES:
        raise Refused(422, f"priority: one of {', '.join(PRIORITIES)} is required")
    return body


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m uns.demo.mes", description="A small MES and CMMS over REST.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--flaky", type=float, default=0.0, help="share of changing requests that fail")
    given = parser.parse_args()
    uvicorn.run(application(Store(given.db), given.flaky), host=given.host, port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
