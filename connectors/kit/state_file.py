"""State files: where a connector of tables kept how far it had read, before the spool did. They are read, and never written."""

import sqlite3
from contextlib import closing
from pathlib import Path as FilePath

from connectors.base import SourceUnavailable


def places(file: FilePath | None) -> dict[str, bytes]:
    """By name; empty where there is no such file. Raises `SourceUnavailable` for one that cannot be read."""
    if file is None or not file.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=1)) as db:
            return dict(db.execute("SELECT name, place FROM bookmark ORDER BY id"))
    except sqlite3.Error as error:
        words = "another process has it open" if "locked" in str(error) else str(error)
        raise SourceUnavailable(
            f"state file {file}: {words}; it says what was read before this release: take `state_file` out, and all is read again"
        ) from error
