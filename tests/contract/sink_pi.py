"""A server written from AVEVA's public reference, that the sink writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.harness.pi_web_api import ARCHIVE, TEXT_MAX, PiWebApi
from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target


@dataclass
class Archive:
    server: PiWebApi
    refused = "x" * (TEXT_MAX + 1)
    words = "A text has at most"

    @property
    def config(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "data_server": ARCHIVE,
            "fields": {"downtime": ["reason", "revision"]},
            "create": True,
        }

    def content(self) -> Any:
        return self.server.content()


@contextmanager
def pi() -> Iterator[Target]:
    with PiWebApi().serving() as server:
        yield Archive(server)


def away(port: int) -> dict[str, Any]:
    server = PiWebApi(port)
    return {"url": server.url, "data_server": ARCHIVE, "token": SECRET, "fields": {"downtime": ["reason"]}}


CONTRACT = sink_contract("pi", lambda _request: pi(), away)
