"""Options of the REST connector."""

import re
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.documents import DocumentShape
from connectors.kit.selector import SelectorText
from topology.endpoint import HttpAuth, Trust, address, header_value, is_header_name
from topology.namespace.path import Path

PLACES = ("since", "page", "offset", "cursor")
"""What a url may name."""
PLACE = re.compile(r"\{([^{}]*)\}")
_EXAMPLE = "https://cmms.example.com/api"


class Auth(HttpAuth, ConnectorConfig):
    """How the server knows us. The secret comes from a file, or from the environment by ${NAME}."""


class Query(DocumentShape):
    """A list of objects, asked for again and again from a watermark on: what is greater in each that is new or changed."""

    name: str = Field(
        min_length=1,
        max_length=60,
        description="names the query, also where its place is kept: under another name it is read from the beginning",
        examples=["closed"],
    )
    url: str = Field(
        description="path below the connector's url; {since} is the watermark to begin at, {page} or {offset} the page, "
        "{cursor} what `next` of the page before says",
        examples=["/work-orders?status=DONE&updatedAfter={since}&page={page}"],
    )
    key: tuple[SelectorText, ...] = Field(
        min_length=1, description="what of an item tells it from all others, never null: its id", examples=[["id"]]
    )
    watermark: SelectorText | None = Field(
        None,
        description="what of an item is greater in each that is new or changed. None: each answer is the whole list",
        examples=["updatedAt", "sequence"],
    )
    watermark_is: Literal["time", "number"] = Field(
        "time", description="what the watermark is; times are read by `time`, `time_format` and `zone`"
    )
    since_format: str = Field(
        "iso",
        description="how {since} writes a time: iso (2026-11-29T19:00:00.000Z), s or ms since 1970, or as Python's strftime has it",
        examples=["%Y-%m-%d %H:%M:%S"],
    )
    start: int | datetime | None = Field(
        None,
        description="watermark with which the first reading ever begins; None: with the first item there is",
        examples=["2026-01-01T00:00:00Z"],
    )
    overlap_s: float = Field(
        60.0,
        ge=0,
        le=864_000,
        description="how long before the newest watermark, where it is a time, is read again for items that come late; 0: not",
    )
    overlap_numbers: int = Field(
        100, ge=0, description="how many before the newest watermark, where it is a number, likewise; 0: not"
    )
    every_s: float = Field(30.0, gt=0, le=86_400, description="how often it is asked")
    next: SelectorText | None = Field(
        None,
        description="where an answer has the address of the next page, or what {cursor} stands for; `Link: rel=next` is "
        "followed anyway",
        examples=["links.next", "nextPageToken"],
    )
    page_from: int = Field(1, ge=0, description="number of the first {page}")
    page_items: int | None = Field(
        None,
        ge=1,
        description="items of a full page: one with fewer is the last. None: the last one is empty",
        examples=[50],
    )

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        plain = PLACE.sub("x", text)
        if not text.startswith("/") or text.startswith("//"):
            raise ValueError(f"url {text!r} must begin with one /: it stands below the connector's url")
        if "{" in plain or "}" in plain or "#" in plain or any(not letter.isprintable() for letter in plain):
            raise ValueError(f"url {text!r} has a brace that belongs to no placeholder, a # or a control character")
        if strange := sorted(set(PLACE.findall(text)) - set(PLACES)):
            raise ValueError(f"url: there is no {{{strange[0]}}}; there are {', '.join(PLACES)}")
        if " " in text or any(part in (".", "..") for part in plain.partition("?")[0].split("/")):
            raise ValueError(f"url {text!r} has a space (write %20), or a segment . or ..")
        return text

    @field_validator("since_format")
    @classmethod
    def _format(cls, text: str) -> str:
        if text not in ("iso", "s", "ms") and "%" not in text:
            raise ValueError("since_format is iso, s, ms, or letters of strftime as %Y-%m-%dT%H:%M:%SZ")
        return text

    @model_validator(mode="after")
    def _goes_together(self) -> "Query":
        named = set(PLACE.findall(self.url))
        if "since" in named and self.watermark is None:
            raise ValueError(f"{self.name}: {{since}} needs `watermark`: what of an item is it?")
        if "cursor" in named and self.next is None:
            raise ValueError(f"{self.name}: {{cursor}} needs `next`: where does an answer say it?")
        if {"page", "offset"} <= named or ("cursor" in named and named & {"page", "offset"}):
            raise ValueError(f"{self.name}: one of {{page}}, {{offset}} and {{cursor}} says which page")
        if self.start is not None and (self.watermark is None or self._start_differs()):
            raise ValueError(
                f"{self.name}: `start` is a watermark, and what that is `watermark` and `watermark_is` say"
            )
        return self

    def _start_differs(self) -> bool:
        return isinstance(self.start, datetime) != (self.watermark_is == "time")

    @property
    def begin(self) -> int | datetime | None:
        """`start`, with a zone where it is a time."""
        if isinstance(self.start, datetime) and self.start.tzinfo is None:
            return self.start.replace(tzinfo=self.zone_info or UTC)
        return self.start

    @property
    def numbered(self) -> bool:
        """Whether the url counts the pages."""
        return bool({"page", "offset"} & set(PLACE.findall(self.url)))


class RestConfig(Trust, ConnectorConfig):
    """One server, and what is asked of it."""

    url: str = Field(description="http(s)://host[:port][/prefix]", examples=[_EXAMPLE])
    auth: Auth | None = Field(None, description="how the server knows us")
    headers: dict[str, str] = Field(default_factory=dict, description="more headers for every request")
    timeout_s: float = Field(30.0, gt=0, le=3_600, description="longest wait for an answer")
    connect_timeout_s: float = Field(10.0, gt=0, le=600, description="longest wait for a connection; then it is away")
    queries: tuple[Query, ...] = Field(min_length=1, max_length=64, description="what is read")

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        parts = urlsplit(address(text, ("http", "https"), _EXAMPLE, instead="auth"))
        if parts.query or parts.fragment or parts.username or text[-1] in "?#":
            raise ValueError("url takes no user, no ? and no #: the urls of the queries are appended to it")
        return text.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not is_header_name(name):
                raise ValueError(f"headers: {name[:40]!r} is no name of a header")
            header_value(value, f"headers: the value of {name}")
        return headers

    @model_validator(mode="after")
    def _names(self) -> "RestConfig":
        names = [query.name for query in self.queries]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two queries are called {', '.join(sorted(twice))}: their places would be one")
        return self

    def literal_paths(self) -> tuple[Path, ...]:
        """Paths that are named as they are."""
        return tuple(path for query in self.queries for path in query.literal_paths())
