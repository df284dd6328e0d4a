"""An HTTP server of objects that the REST sink writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.contract.rest_server import RestServer
from uns.testing import sink_contract
from uns.testing.sinks import Target


@contextmanager
def rest() -> Iterator[Target]:
    with RestServer().serving() as server:
        yield server


def away(port: int) -> dict[str, Any]:
    return RestServer(port).config


CONTRACT = sink_contract("rest", lambda _request: rest(), away)
