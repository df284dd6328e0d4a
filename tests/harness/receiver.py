"""A receiver of webhooks that believes nothing: signatures are checked by the `standardwebhooks` library, events are read by
the `cloudevents` SDK. It can behave as badly as any."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.contract.rest_server import TROUBLES
from tests.harness.serving import serving
from uns.runtime.ports import free_port

SECRET = "whsec_" + base64.b64encode(b"hunter2 hunter2 hunter2 hunter2").decode()


@dataclass
class Receiver:
    """`events` are those that were taken, in their order: again when they came again."""

    port: int = field(default_factory=free_port)
    secret: str = SECRET
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    trouble: Callable[[list[dict[str, Any]]], tuple[str, bool] | None] = lambda _events: None
    """Of the events of a request the name of a trouble, and whether they are taken all the same."""
    answer: Callable[[], Response | None] = lambda: None
    refused = "refuse me"
    words = "not with that reason"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def config(self) -> dict[str, Any]:
        return {"url": self.url, "secret": SECRET, "timeout_s": 5}

    def reset(self) -> None:
        fresh = Receiver(self.port)
        self.secret, self.trouble, self.answer = fresh.secret, fresh.trouble, fresh.answer
        self.events.clear()
        self.requests.clear()

    def content(self) -> Any:
        """Each event once, by its id."""
        return {event["id"]: event for event in self.events}

    def ids(self) -> dict[str, list[str]]:
        """Path → ids, in the order of their first coming."""
        found: dict[str, dict[str, None]] = {}
        for event in self.events:
            found.setdefault(event["source"].removeprefix("/"), {})[event["id"]] = None
        return {path: list(ids) for path, ids in found.items()}

    async def hook(self, request: Request) -> Response:
        body = await request.body()
        headers = dict(request.headers)
        self.requests.append(headers)
        if (instead := self.answer()) is not None:
            return instead
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            return PlainTextResponse(str(error), 401)
        events = read(headers, body)
        if any(self.refused in (event["data"].get("reason") or "") for event in events):
            return PlainTextResponse(self.words, 422)
        name, taken = self.trouble(events) or ("", True)
        if taken:
            self.events += events
        return TROUBLES[name]() if name else Response(status_code=204)

    @contextmanager
    def serving(self) -> Iterator["Receiver"]:
        app = Starlette(routes=[Route("/hook", self.hook, methods=["POST"])])
        with serving(app, self.port):
            yield self


def read(headers: dict[str, str], body: bytes) -> list[dict[str, Any]]:
    """The events of a request, by the SDK, which checks that they are whole."""
    if headers["content-type"] == "application/cloudevents-batch+json":
        structured = {"content-type": "application/cloudevents+json"}
        return [_read(structured, json.dumps(one).encode()) for one in json.loads(body)]
    return [_read(headers, body)]


def _read(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    event = from_http_event(HTTPMessage(headers, body))
    data = event.get_data()
    plain = {name: str(value) for name, value in event.get_attributes().items()}
    return {**plain, "data": json.loads(data) if isinstance(data, bytes | str) else data}
