"""What is served: one table, of which the application makes its routes and `openapi` the document. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.http.codec import KINDS

JSON, JSON_LINES, LINES = "application/json", "application/x-ndjson", "text/plain"
JSON_LINES_TOO = frozenset({JSON_LINES, "application/jsonl", "application/x-jsonlines"})
"""Names that are in use for it; the first is ours."""
RECORDS: Mapping[str, str] = {
    "samples": "Samples",
    "orders": "Order",
    "lots": "Lot",
    "shifts": "Shift",
    "reasons": "Reason",
    "inspections": "Inspection",
    "work-orders": "WorkOrder",
    "limits": "Limits",
}
"""The schema of what /v1/KIND/… takes."""
REFUSED: Mapping[int, str] = {
    400: "the body or a header is not what it says it is; nothing was taken",
    401: "the token is missing or not known",
    403: "the token holds for another path; nothing was taken",
    404: "no such path; nothing was taken",
    408: "the body came too slowly; nothing was taken",
    413: "the body is too large, unpacked; nothing was taken",
    415: "the content type or encoding is none of those; nothing was taken",
    422: "the Idempotency-Key stood at another request; nothing was taken",
    429: "the token posts more often than it may; nothing was taken",
    503: "it is not known whether Kafka has it, or nothing was taken; post the same again",
}
WRITE_REFUSED = {status: words for status, words in REFUSED.items() if status not in (404, 408)} | {
    400: "nothing was taken; or it begins with `partial write`: Kafka has all, what was malformed in quarantine"
}


@dataclass(frozen=True)
class Operation:
    """One method of one path, and the handler that does it."""

    method: str
    path: str
    """As OpenAPI writes it; {path} stands for several parts."""
    handler: str
    summary: str
    answers: Mapping[int, str]
    token: bool = True
    takes: Mapping[str, str] = field(default_factory=dict)
    """Content type → name of the schema of a body."""
    gives: Mapping[str, str] = field(default_factory=dict)
    """Content type → name of the schema of the good answer."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Query parameter → what it is."""
    key: bool = False
    """Whether an Idempotency-Key makes it count once."""
    needs: str = ""
    """The option without which it is not there."""

    @property
    def route(self) -> str:
        """As Starlette writes the path."""
        return self.path.replace("{path}", "{path:path}")


def _post(kind: str) -> Operation:
    return Operation(
        "POST",
        f"/v1/{kind}/{{path}}",
        "post",
        f"{kind.capitalize()} of a path, answered once Kafka has them",
        {202: "Kafka has it; what was malformed is in quarantine", **REFUSED},
        takes={JSON: RECORDS[kind], JSON_LINES: "Lines"},
        gives={JSON: "Counts"},
        key=True,
    )


def _write(path: str, precisions: str) -> Operation:
    return Operation(
        "POST",
        path,
        "write",
        "Points of InfluxDB's line protocol, answered once Kafka has them",
        {204: "Kafka has all of it", **WRITE_REFUSED},
        takes={LINES: "Lines"},
        query={"precision": f"the unit of the times: {precisions}; ns without it"},
        key=True,
        needs="lines",
    )


OPERATIONS: tuple[Operation, ...] = (
    *(_post(kind) for kind in KINDS),
    _write("/write", "ns, us, ms, s, m or h"),
    _write("/api/v2/write", "ns, us, ms or s"),
    Operation("POST", "/query", "query", "CREATE DATABASE, which clients of InfluxDB 1 begin with; nothing else",
              {200: "nothing had to be done", 400: "queries are not answered here", 401: REFUSED[401], 408: REFUSED[408], 413: REFUSED[413], 415: REFUSED[415], 429: REFUSED[429], 503: "post it again"},
              takes={"application/x-www-form-urlencoded": "Query"}, gives={JSON: "QueryResult"}, query={"q": "the query"}, needs="lines"),
    Operation("GET", "/query", "query", "The same", {200: "nothing had to be done", 400: "queries are not answered here", 401: REFUSED[401], 429: REFUSED[429]},
              gives={JSON: "QueryResult"}, query={"q": "the query"}, needs="lines"),
    Operation("POST", "/v1/hooks/{hook}", "hook", "What a system of record posts by itself, signed, answered once Kafka has it",
              {202: "Kafka has it; what was malformed is in quarantine", **{status: words for status, words in REFUSED.items() if status != 403}, 401: "the signature is missing or wrong; nothing was taken"},
              token=False, takes={JSON: "Hook"}, gives={JSON: "Counts"}, key=True, needs="hooks"),
    Operation("GET", "/ping", "ping", "Whether we listen, as clients of InfluxDB ask", {204: "we do"}, token=False, needs="lines"),
    Operation("GET", "/health", "health", "Whether we listen", {200: "we do", 503: "we go down"}, token=False, gives={JSON: "Health"}),
    Operation("GET", "/openapi.json", "openapi", "This document", {200: "it"}, token=False, gives={JSON: "OpenApi"}),
    Operation("GET", "/v1/form", "form_for", "What the form offers for this token",
              {200: "machines below the token's path, and tags with their words", 401: REFUSED[401], 429: REFUSED[429]}, gives={JSON: "Form"}, needs="form"),
    Operation("GET", "/form", "form", "The page on which a person counts by hand", {200: "the page"}, token=False, gives={"text/html": "Page"}, needs="form"),
    Operation("GET", "/form/{file}", "form_file", "What the page loads", {200: "a script or style sheet", 404: "no such file"}, token=False, gives={"text/css": "Page", "text/javascript": "Page"}, needs="form"),
)  # fmt: skip
