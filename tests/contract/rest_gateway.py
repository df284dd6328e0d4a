"""A server that lets in only who comes as it wants: by OAuth 2, a login, a CSRF token with its cookie, or a signature."""

import base64
import hashlib
import hmac
import json
import time
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
from uns.testing.component import SECRET

KEY = b"webhook key"


@dataclass
class Gateway:
    """Objects by their `external_id`; the ways in are those that a test switches on."""

    port: int = field(default_factory=free_port)
    objects: list[dict[str, Any]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    wants: set[str] = field(default_factory=set)
    """token, session, csrf, signature."""
    issued: int = 0
    """Tokens, sessions and CSRF tokens so far; the newest of each is valid."""
    valid: dict[str, str] = field(default_factory=dict)
    credentials: tuple[str, str] = ("uns", SECRET)
    holds_s: float = 3600.0
    forgets_every: int = 0
    """So many requests for orders, and all that was issued is valid no more; 0: never."""
    trouble: str = ""
    """no token: the endpoint is broken; refuses: no token is ever good enough."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def config(self, auth: dict[str, Any], **more: Any) -> dict[str, Any]:
        body = {"external_id": "{natural_id}", "reason": "{reason}", "revision": "{revision}"}
        return {
            "base_url": self.url,
            "auth": auth,
            "settle_s": 0,
            "requests": [
                {
                    "class": "downtime",
                    "create": {"url": "/orders", "body": body},
                    "lookup": {"url": "/orders?external_id={natural_id}"},
                    "update": {"method": "PATCH", "url": "/orders/{remote_id}", "body": body},
                }
            ],
            **more,
        }

    async def token(self, request: Request) -> Response:
        self.seen.append("token")
        pair = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode().split(":")
        if self.trouble == "no token":
            return PlainTextResponse("down", 500)
        if tuple(pair) != self.credentials:
            return JSONResponse({"error": "invalid_client", "error_description": "no such client"}, 401)
        return JSONResponse({"access_token": self._issue("token"), "expires_in": self.holds_s, "token_type": "Bearer"})

    async def login(self, request: Request) -> Response:
        self.seen.append("login")
        body = await request.json()
        if (body["user"], body["password"]) != self.credentials:
            return JSONResponse({"error": f"{body['password']} is wrong"})
        answer = JSONResponse({"ok": True})
        answer.set_cookie("sid", self._issue("session"))
        return answer

    def _issue(self, kind: str) -> str:
        self.issued += 1
        self.valid[kind] = f"{kind}-{self.issued}"
        return self.valid[kind]

    async def orders(self, request: Request) -> Response:
        content = await request.body()
        self.seen.append(request.method)
        if self.forgets_every and len(self.seen) % self.forgets_every == 0:
            self.valid.clear()
        if (refusal := self._refusal(request, content)) is not None:
            return refusal
        if request.method == "GET":
            wanted = request.query_params.get("external_id")
            return JSONResponse([one for one in self.objects if one["external_id"] == wanted])
        body = json.loads(content)
        if request.method == "POST":
            self.objects.append({"id": len(self.objects) + 1, **body})
            return JSONResponse(self.objects[-1], 201)
        self.objects[int(request.path_params["id"]) - 1] |= body
        return JSONResponse({})

    async def root(self, request: Request) -> Response:
        self.seen.append("csrf")
        answer = PlainTextResponse("")
        if request.headers.get("x-csrf-token") == "fetch":
            answer.headers["x-csrf-token"] = self._issue("csrf")
            answer.set_cookie("SAP_SESSIONID", self.valid["csrf"])
        return answer

    def _refusal(self, request: Request, content: bytes) -> Response | None:
        known = request.headers.get("authorization") == f"Bearer {self.valid.get('token')}"
        if "token" in self.wants and (not known or self.trouble == "refuses"):
            return JSONResponse({"error": "invalid_token"}, 401)
        if "session" in self.wants and request.cookies.get("sid") != self.valid.get("session"):
            return JSONResponse({"error": {"code": 100, "message": "session expired"}})
        if "csrf" in self.wants and request.method != "GET":
            carried = (request.headers.get("x-csrf-token"), request.cookies.get("SAP_SESSIONID"))
            if carried != (self.valid.get("csrf"),) * 2:
                return PlainTextResponse("CSRF token validation failed", 403, {"x-csrf-token": "Required"})
        if "signature" in self.wants:
            signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + content
            digest = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
            fresh = abs(time.time() - int(request.headers["webhook-timestamp"])) < 300
            if not fresh or not hmac.compare_digest(request.headers["webhook-signature"], f"v1,{digest}"):
                return PlainTextResponse("wrong signature", 401)
        return None

    @contextmanager
    def serving(self) -> Iterator["Gateway"]:
        routes = [
            Route("/", self.root),
            Route("/token", self.token, methods=["POST"]),
            Route("/login", self.login, methods=["POST"]),
            Route("/orders", self.orders, methods=["GET", "POST"]),
            Route("/orders/{id}", self.orders, methods=["PATCH"]),
        ]
        with serving(Starlette(routes=routes), self.port):
            yield self
