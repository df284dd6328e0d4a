"""A receiver of webhooks that checks signatures and events with the libraries of others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.harness.receiver import Receiver
from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target


@contextmanager
def receiver() -> Iterator[Target]:
    with Receiver().serving() as running:
        yield running


def away(port: int) -> dict[str, Any]:
    return {**Receiver(port).config, "auth": {"kind": "bearer", "secret": SECRET}}


CONTRACT = sink_contract("webhook", lambda _request: receiver(), away)
