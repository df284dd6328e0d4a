"""Where a connector is in what it reads, kept in a file of its own: name → a few bytes, each put whole or not at all.

For sources that keep no position for us: files, tables. SQLite (WAL, synchronous=NORMAL: it survives the death of the
process; after a power cut the last positions may be older ones, and what follows them is read again).
"""

import sqlite3
from collections.abc import Collection
from pathlib import Path as FilePath

from connectors.base import SourceUnavailable

BOOKMARKS_MAX = 100_000
"""More are not kept: those of names that are no longer there go first, the longest untouched of them."""


class BookmarksError(SourceUnavailable):
    """The file cannot be used: which, why, and what to do. Nothing is read without it, as if the source were away."""


class Bookmarks:
    """Opened by one connector, alone. Raises `BookmarksError` from every method when the disk fails."""

    def __init__(self, file: FilePath) -> None:
        """Makes the file and its folder. Raises `BookmarksError` also when another process has it open."""
        self._file = file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, isolation_level=None, timeout=1)
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        try:
            self._db.executescript(
                # Exclusive: a second connector that is given the same file by mistake does not get in.
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                "CREATE TABLE IF NOT EXISTS bookmark (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
                " place BLOB NOT NULL);"
            )
        except sqlite3.Error as error:
            self._db.close()
            raise self._error(error) from error

    def all(self) -> dict[str, bytes]:
        """Every bookmark, the longest untouched first."""
        try:
            return dict(self._db.execute("SELECT name, place FROM bookmark ORDER BY id"))
        except sqlite3.Error as error:
            raise self._error(error) from error

    def put(self, name: str, place: bytes) -> None:
        """Keeps a place. Replaces the one before."""
        try:
            self._db.execute("INSERT OR REPLACE INTO bookmark (name, place) VALUES (?, ?)", (name, place))
        except sqlite3.Error as error:
            raise self._error(error) from error

    def forget(self, name: str) -> None:
        """Takes a bookmark out, if there is one."""
        try:
            self._db.execute("DELETE FROM bookmark WHERE name = ?", (name,))
        except sqlite3.Error as error:
            raise self._error(error) from error

    def tidy(self, present: Collection[str]) -> list[str]:
        """Forgets what is too much and not present; the names of those."""
        try:
            (count,) = self._db.execute("SELECT count(*) FROM bookmark").fetchone()
            if count <= BOOKMARKS_MAX:
                return []
            gone = [name for name in self.all() if name not in present][: count - BOOKMARKS_MAX]
            self._db.executemany("DELETE FROM bookmark WHERE name = ?", [(name,) for name in gone])
        except sqlite3.Error as error:
            raise self._error(error) from error
        return gone

    def close(self) -> None:
        """May be called twice."""
        self._db.close()

    def _error(self, error: Exception) -> BookmarksError:
        words = "another process has it open" if "locked" in str(error) else str(error)
        return BookmarksError(f"state file {self._file}: {words}; can it be written, is it this connector's alone?")
