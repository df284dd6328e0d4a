"""A real QuestDB that the sink writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.harness.questdb import QuestDb
from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target


@dataclass
class Tables:
    server: QuestDb
    prefix: str
    refused = "a\ud800b"
    """It takes every text that UTF-8 can hold, so this is refused on its behalf; tests/integration has what it refuses itself."""
    words = "surrogate"

    @property
    def config(self) -> dict[str, Any]:
        return {"url": self.server.address, "table_prefix": self.prefix}

    def content(self) -> Any:
        return self.server.rows(f"{self.prefix}downtime")


@contextmanager
def questdb(server: QuestDb, name: str) -> Iterator[Target]:
    prefix = name.replace("-", "_") + "_"
    try:
        yield Tables(server, prefix)
    finally:
        for row in server.sql(f"SELECT table_name FROM tables() WHERE table_name LIKE '{prefix}%'"):
            server.sql(f'DROP TABLE "{row["table_name"]}"')


def away(port: int) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{port}", "token": SECRET}


CONTRACT = sink_contract(
    "questdb",
    lambda request: questdb(request.getfixturevalue("questdb"), request.getfixturevalue("enterprise")),
    away,
)
