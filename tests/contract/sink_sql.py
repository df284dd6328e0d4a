"""A table that the SQL sink writes to, of an MES that made it long before; the database is SQLite, a real one that needs
no server."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target

TABLE = """CREATE TABLE IF NOT EXISTS "Stillstände" (
    uns_id TEXT PRIMARY KEY, "revision no" INTEGER, "order" TEXT, reason TEXT CHECK (reason <> 'weather'),
    begun DATETIME, ended DATETIME, seconds NUMERIC(12, 1), fresh BOOLEAN)"""
COLUMNS = {
    "uns_id": "{natural_id}",
    "revision no": "{revision}",
    "order": "{order}",
    "reason": "{reason}",
    "begun": "{started_at}",
    "ended": "{ended_at}",
    "seconds": "{{ (ended_at | epoch_s) - (started_at | epoch_s) }}",
    "fresh": "{new_reason}",
}


class Mes:
    refused = "weather"
    words = "CHECK constraint failed"

    def __init__(self, file: Path) -> None:
        self._file = file
        with closing(sqlite3.connect(file)) as database:
            database.execute(TABLE)
        self.config: dict[str, Any] = {
            "url": f"sqlite:///{file}",
            "zone": "Europe/Berlin",
            "tables": [{"record": "downtime", "table": "Stillstände", "columns": COLUMNS}, {"record": "downtime"}],
        }

    def content(self) -> Any:
        with closing(sqlite3.connect(self._file)) as database:
            return {
                name: sorted(database.execute(f'SELECT * FROM "{name}"').fetchall())
                for name in ("Stillstände", "uns_downtime")
            }


@contextmanager
def mes(folder: Path) -> Iterator[Target]:
    yield Mes(folder / "mes.db")


def away(port: int) -> dict[str, Any]:
    return {
        "url": f"mariadb://127.0.0.1:{port}/mes",
        "username": "uns",
        "password": SECRET,
        "tables": [{"record": "downtime"}],
    }


CONTRACT = sink_contract("sql", lambda request: mes(request.getfixturevalue("tmp_path")), away)
