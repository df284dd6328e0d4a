"""What older releases kept beside the spool is read on from, once."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connectors.base import SourceUnavailable
from connectors.kit.state_file import places


def written(file: Path, rows: dict[str, bytes]) -> sqlite3.Connection:
    """A state file as they wrote it."""
    db = sqlite3.connect(file, isolation_level=None)
    db.executescript(
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "CREATE TABLE bookmark (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, place BLOB NOT NULL);"
    )
    db.executemany("INSERT INTO bookmark (name, place) VALUES (?, ?)", rows.items())
    return db


def test_places_are_read_and_the_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    written(file, {"b": b"1", "a": b"2"}).close()
    assert list(places(file).items()) == list(places(file).items()) == [("b", b"1"), ("a", b"2")]


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert places(None) == places(tmp_path / "none.db") == {}
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"something else, and not small enough to pass" * 100)
    with pytest.raises(SourceUnavailable, match=r"state\.db: file is not a database"):
        places(file)
    other = tmp_path / "other.db"
    with closing(written(other, {"a": b"1"})), pytest.raises(SourceUnavailable, match="another process has it open"):
        places(other)
