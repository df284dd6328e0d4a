"""The contract over a real file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from uns.testing import Target, sink_contract


@dataclass
class Stops:
    file: Path
    refused = "refuse me"
    words = "CHECK constraint failed"

    @property
    def config(self) -> dict[str, Any]:
        return {"file": str(self.file)}

    def content(self) -> Any:
        with closing(sqlite3.connect(self.file)) as db:
            return db.execute("SELECT * FROM stop ORDER BY id").fetchall()


@contextmanager
def stops(request: pytest.FixtureRequest) -> Iterator[Target]:
    yield Stops(request.getfixturevalue("tmp_path") / "stops.sqlite")


TestToy = sink_contract("toy", stops, lambda port: {"file": f"/no/such/folder/{port}"})
