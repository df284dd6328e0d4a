"""What is answered to what is not taken: `application/problem+json` (RFC 9457), with the words that InfluxDB's clients read."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = {"retry-after": "2"}
COMES_AGAIN: dict[str, frozenset[int]] = {"/write": frozenset({408, 429}), "/api/v2/write": frozenset({408})}
"""By route, answers that Telegraf takes for final, and drops its points. What may pass is 503 there."""


def problem(status: int, words: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """An answer that says in `detail` what is wrong and what to do. `more`: further members of it."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": words, **more}
    content = json.dumps(body, separators=(",", ":")).encode()  # ASCII: words may repeat what is no Unicode
    return Response(content, status, headers, MEDIA_TYPE)


def of_influx(status: int, words: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """The same, in the words of both versions of InfluxDB beside."""
    code = "invalid" if status < 500 else "unavailable"
    return problem(status, words, headers, error=words, code=code, message=words, **more)


async def refused(request: Request, error: Exception) -> Response:
    """The answer to a request that a handler, or the router, refused."""
    assert isinstance(error, HTTPException)
    status, words, headers = error.status_code, error.detail, dict(error.headers or {})
    if status == 404 and words == HTTPStatus.NOT_FOUND.phrase:
        words = "nothing is here; /openapi.json says what is"
    elif status == 405:
        words = f"{request.method} is not done here, only {headers.get('allow') or headers.get('Allow')}"
    passing = COMES_AGAIN.get(request.url.path)
    if passing is None:
        return problem(status, words, headers)
    if status in passing:
        status, headers = 503, RETRY_AFTER | headers
    return of_influx(status, words, headers)
