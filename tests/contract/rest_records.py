"""A server of other ways to keep records: documents that are booked and reversed (as SAP's), upserts by a key (as Odoo's
import), and plain resources; it loses answers."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.harness.serving import serving
from uns.runtime.ports import free_port


@dataclass
class RecordServer:
    """What it has: `documents`, `rows` by key, `resources`."""

    port: int = field(default_factory=free_port)
    documents: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    lost_share: float = 0.0
    """Of requests, done, and answered with 500."""
    chance: random.Random = field(default_factory=lambda: random.Random(3))
    fetched: int = 0
    ids: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def standing(self) -> dict[str, str]:
        """External key → yield, of documents that were not reversed."""
        standing = [one for one in self.documents if not (one["IsReversed"] or one["IsReversal"])]
        assert len({one["ExternalSystemConfirmation"] for one in standing}) == len(standing), "none twice"
        return {one["ExternalSystemConfirmation"]: one["ConfirmationYieldQuantity"] for one in standing}

    def _answer(self, answer: Response) -> Response:
        return PlainTextResponse("crashed", 500) if self.chance.random() < self.lost_share else answer

    def _csrf(self, request: Request) -> Response | None:
        token = f"c{self.fetched}"
        if (request.headers.get("x-csrf-token"), request.cookies.get("SAP_SESSIONID")) == (token, token):
            return None
        return PlainTextResponse("CSRF token validation failed", 403, {"x-csrf-token": "Required"})

    async def token(self, request: Request) -> Response:
        self.fetched += 1
        answer = PlainTextResponse("", headers={"x-csrf-token": f"c{self.fetched}"})
        answer.set_cookie("SAP_SESSIONID", f"c{self.fetched}")
        return answer

    async def book(self, request: Request) -> Response:
        if request.method == "GET":
            [key] = re.findall(r"guid'([0-9a-f-]{36})'", request.query_params["$filter"])
            found = [
                one
                for one in self.documents
                if one["ExternalSystemConfirmation"] == key and not one["IsReversed"] and not one["IsReversal"]
            ]
            return JSONResponse({"d": {"results": found}})
        if (refusal := self._csrf(request)) is not None:
            return refusal
        number = {"ConfirmationGroup": "0000000100", "ConfirmationCount": f"{len(self.documents) + 1:08}"}
        self.documents.append({**await request.json(), **number, "IsReversed": False, "IsReversal": False})
        return self._answer(JSONResponse({"d": self.documents[-1]}, 201))

    async def reverse(self, request: Request) -> Response:
        if (refusal := self._csrf(request)) is not None:
            return refusal
        document = self.documents[int(request.query_params["ConfirmationCount"].strip("'")) - 1]
        if document["IsReversed"]:
            return JSONResponse({"error": {"code": "RU/021", "message": {"value": "is cancelled already"}}}, 400)
        document["IsReversed"] = True
        number = {"ConfirmationCount": f"{len(self.documents) + 1:08}"}
        self.documents.append({**document, **number, "IsReversed": False, "IsReversal": True})
        return self._answer(JSONResponse({"d": {"CancelProdnOrdConf": self.documents[-1]}}))

    async def upsert(self, request: Request) -> Response:
        body = await request.json()
        if "bad" in body["reason"]:
            return JSONResponse({"ids": False, "messages": [{"type": "error", "message": "no such reason"}]})
        if body["key"] not in self.rows:
            self.ids += 1
            self.rows[body["key"]] = {"id": self.ids}
        self.rows[body["key"]] |= body
        return self._answer(JSONResponse({"ids": [self.rows[body["key"]]["id"]], "messages": []}))

    async def row(self, request: Request) -> Response:
        found = [key for key, row in self.rows.items() if row["id"] == int(request.path_params["id"])]
        if not found:
            return JSONResponse({"name": "MissingError"}, 404)
        if request.path_params["what"] == "drop":
            del self.rows[found[0]]
        else:
            self.rows[found[0]] |= await request.json()
        return self._answer(JSONResponse(True))

    async def note(self, request: Request) -> Response:
        """A resource whose text alone carries a key; it wants a header and a signed address."""
        if (request.headers.get("x-kind"), request.query_params.get("sig")) != ("note", "hunter2"):
            return JSONResponse({"message": "neither header nor signature"}, 400)
        self.resources.append({"id": len(self.resources) + 1, **await request.json()})
        return self._answer(JSONResponse(self.resources[-1], 201))

    async def search(self, request: Request) -> Response:
        """Three of a page, of those whose text holds the words, small letters or not: more than was asked for."""
        body = await request.json()
        found = [one for one in self.resources if body["words"][:8].lower() in one["text"].lower()]
        return JSONResponse({"content": found[body["page"] * 3 : body["page"] * 3 + 3]})

    async def resource(self, request: Request) -> Response:
        if request.method == "GET":
            wanted = request.query_params["external_id"]
            return JSONResponse([one for one in self.resources if one["external_id"] == wanted])
        body = await request.json()
        if request.method == "POST":
            self.resources.append({"id": len(self.resources) + 1, **body})
            return self._answer(JSONResponse(self.resources[-1], 201))
        self.resources[int(request.path_params["id"]) - 1] |= body
        return self._answer(JSONResponse({}))

    @contextmanager
    def serving(self) -> Iterator["RecordServer"]:
        routes = [
            Route("/", self.token),
            Route("/ProdnOrdConf2", self.book, methods=["GET", "POST"]),
            Route("/CancelProdnOrdConf", self.reverse, methods=["POST"]),
            Route("/load", self.upsert, methods=["POST"]),
            Route("/rows/{id}/{what}", self.row, methods=["POST"]),
            Route("/notes", self.note, methods=["POST"]),
            Route("/notes/search", self.search, methods=["POST"]),
            Route("/nonconformances", self.resource, methods=["GET", "POST"]),
            Route("/nonconformances/{id}", self.resource, methods=["PATCH"]),
        ]
        with serving(Starlette(routes=routes), self.port):
            yield self
