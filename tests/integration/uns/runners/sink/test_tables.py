"""Sinks for tables and files as processes on real Kafka, killed: each record once, a bad one in quarantine with its words."""

import csv
import random
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.contract.sink_files import rows
from tests.integration.uns.runners.sink.site import Site
from topology.namespace.classes import MessageClass
from uns.testing import downtime

COLUMNS = {"id": "{natural_id}", "rev": "{revision}", "reason": "{reason}"}


def told(site: Site, chance: random.Random) -> list[tuple[str, int, str]]:
    """Stops of three machines, some corrected, and one that no target takes."""
    found = []
    for n in range(150):
        for cell in site.cells:
            for revision in range(chance.choice((1, 1, 2, 3))):
                record = downtime(n, revision, f"reason {n}.{revision} „ü“, \"\n'", str(cell))
                found.append((record.natural_id, revision, str(record.reason)))
                site.tell(cell, record)
    site.tell(site.cells[1], downtime(9_999, reason="漢", path=str(site.cells[1])))
    site.producer.flush()
    return found


def quarantined(site: Site, reason: bytes, words: str) -> None:
    [found] = site.messages(MessageClass.QUARANTINE)
    headers = dict(found.headers() or [])
    assert headers["uns.reason"] == reason
    assert words in headers["__connect.errors.exception.message"].decode()


def test_a_table(tmp_path: Path, kafka: str, registry: str, enterprise: str) -> None:
    file = tmp_path / "mes.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE stops (id TEXT PRIMARY KEY, rev INT, reason TEXT CHECK (reason <> '漢'))")

    def stored() -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(file, timeout=30)) as database:
            return database.execute("SELECT id, rev, reason FROM stops").fetchall()

    config = {"url": f"sqlite:///{file}", "tables": [{"record": "downtime", "table": "stops", "columns": COLUMNS}]}
    site = Site(tmp_path, kafka, registry, enterprise, "sql", config)
    try:
        chance = random.Random(5)
        wanted = {name: (revision, reason) for name, revision, reason in told(site, chance)}
        site.kill_in_midst(lambda: len(stored()), chance, len(wanted))
        site.start()
        site.drained()
        assert {name: (rev, reason) for name, rev, reason in stored()} == wanted
        quarantined(site, b"sqlite_constraintcheck", "CHECK constraint failed")
    finally:
        site.stop()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_files(tmp_path: Path, kafka: str, registry: str, enterprise: str, form: str) -> None:
    export = tmp_path / "export"
    export.mkdir()
    columns = {"natural_id": "{natural_id}", "revision": "{revision}", "reason": "{reason}"}
    sets = [{"record": "downtime", "format": form, "columns": columns, "encoding": "cp1252", "rows_max": 100}]
    site = Site(tmp_path, kafka, registry, enterprise, "files", {"folder": str(export), "files": sets})
    try:
        chance = random.Random(5)
        wanted = Counter(told(site, chance))
        if form == "csv":
            site.kill_in_midst(lambda: len(list(export.rglob("*.csv"))), chance, len(wanted))
        site.start()
        site.drained()
        if form == "parquet":
            assert site.messages(MessageClass.QUARANTINE) == []
            wanted[downtime(9_999, path=str(site.cells[1])).natural_id, 0, "漢"] = 1
            found = rows(export, form)
        else:
            quarantined(site, b"unfit", "is not in cp1252")
            found = iter([row for file in export.rglob("*.csv*") for row in _csv(file)])
        assert Counter((row["natural_id"], int(row["revision"]), row["reason"]) for row in found) == wanted
    finally:
        site.stop()


def _csv(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="cp1252", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))
