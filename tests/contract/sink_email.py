"""An SMTP server that the mails go to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.harness.mailbox import Mailbox
from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target


@contextmanager
def mailbox() -> Iterator[Target]:
    with Mailbox().serving() as running:
        yield running


def away(port: int) -> dict[str, Any]:
    return {**Mailbox(port).config, "username": "uns", "password": SECRET}


CONTRACT = sink_contract("email", lambda _request: mailbox(), away)
