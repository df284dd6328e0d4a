"""The shapes of answers: success, failure, bulk. Rendered as JSON without NaN. Pure."""

import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse


class Refused(Exception):
    """A request that fails: HTTP status and words."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


class Answer(JSONResponse):
    def render(self, content: Any) -> bytes:
        # In ASCII: the words of an error may repeat a text that is no Unicode.
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def detail(status: int, words: str, title: str | None = None) -> dict[str, Any]:
    """RFC 9457's fields as i3X has them."""
    return {"title": title or HTTPStatus(status).phrase, "status": status, "detail": words}


def success(result: Any, partial: str | None = None) -> Answer:
    """`partial`: why it is not whole, which makes it a 206."""
    body: dict[str, Any] = {"success": True, "result": result}
    if partial is not None:
        body["responseDetail"] = detail(206, partial)
    return Answer(body, 200 if partial is None else 206)


def failure(refused: Refused) -> Answer:
    return Answer(
        {"success": False, "responseDetail": detail(refused.status, refused.detail)}, refused.status, refused.headers
    )


Item = tuple[str, Any | Refused]
"""An id of the request, and what became of it."""


def bulk(items: Sequence[Item], key: str = "elementId", partial: str | None = None) -> Answer:
    """One entry for each id, in the request's order; not a success as a whole where one failed."""
    body: dict[str, Any] = {
        "success": not any(isinstance(result, Refused) for _, result in items),
        "results": [_entry(key, id_, result) for id_, result in items],
    }
    if partial is not None:
        body["responseDetail"] = detail(206, partial)
    return Answer(body, 200 if partial is None else 206)


def _entry(key: str, id_: str, result: Any | Refused) -> dict[str, Any]:
    if isinstance(result, Refused):
        return {"success": False, key: id_, "responseDetail": detail(result.status, result.detail)}
    return {"success": True, key: id_, "result": result}


def event(updates: Iterable[dict[str, Any]]) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps(list(updates), allow_nan=False, separators=(",", ":")).encode() + b"\n\n"
