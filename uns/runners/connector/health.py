"""What connectors on this machine last said of themselves, read out of their spools by who looks from beside."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from uns.runners.connector.ledger import FILE, FOLDER


class Health(NamedTuple):
    """What a connector last said of itself."""

    at: int
    """µs of its machine's clock; it says it every second or so."""
    problems: tuple[str, ...]


def read_health(state_dir: Path) -> dict[str, Health | None]:
    """Of every connector that keeps its spool below a state folder; None of one that has said nothing yet."""
    return {file.parent.name: _health(file) for file in sorted((state_dir / FOLDER).glob(f"*/{FILE}"))}


def _health(file: Path) -> Health | None:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'said'").fetchone():
            return None
        row = connection.execute("SELECT at, problems FROM said").fetchone()
        return None if row is None else Health(row[0], tuple(json.loads(row[1])))
