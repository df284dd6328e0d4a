"""A real InfluxDB 1 that the sink writes to."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.harness.influxd import BODY_MAX, Influxd
from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target


@dataclass
class Database:
    server: Influxd
    name: str
    refused = random.Random(11).randbytes(2 * BODY_MAX).hex()
    """Longer than it takes, gzipped, too."""
    words = "413"

    @property
    def config(self) -> dict[str, Any]:
        return {"url": self.server.url, "version": 1, "database": self.name, "bytes_max": BODY_MAX // 2, "create": True}

    def content(self) -> Any:
        return self.server.points(self.name)


@contextmanager
def influxdb(server: Influxd, name: str) -> Iterator[Target]:
    server.query(f'CREATE DATABASE "{name}"')
    try:
        yield Database(server, name)
    finally:
        server.query(f'DROP DATABASE "{name}"')


def away(port: int) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{port}", "version": 2, "org": "acme", "bucket": "plant", "token": SECRET}


CONTRACT = sink_contract(
    "influxdb",
    lambda request: influxdb(request.getfixturevalue("influxdb"), request.getfixturevalue("enterprise")),
    away,
)
