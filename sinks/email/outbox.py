"""What is to be mailed, in a small SQLite file: lines that wait for their digest, and messages that wait for the server.

A message is kept, bytes and all, before it is sent: what is sent again after a crash is the same, under the same id.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import NamedTuple

from sinks.email.digest import Line, Message

_SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS line (
    report TEXT NOT NULL, natural_id TEXT NOT NULL, revision INTEGER NOT NULL, started_at INTEGER NOT NULL,
    at REAL NOT NULL, text TEXT NOT NULL, message_id TEXT, told INTEGER NOT NULL,
    PRIMARY KEY (report, natural_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting ON line (report) WHERE message_id IS NULL;
CREATE TABLE IF NOT EXISTS message (
    message_id TEXT NOT NULL PRIMARY KEY, report TEXT NOT NULL, at REAL NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS recipient (
    message_id TEXT NOT NULL, mailbox TEXT NOT NULL, state TEXT NOT NULL, words TEXT NOT NULL,
    PRIMARY KEY (message_id, mailbox)) WITHOUT ROWID;
"""
WAITING, SENT, REFUSED, UNDELIVERABLE = "waiting", "sent", "refused", "undeliverable"
"""Of a mailbox; refused is the mailbox, undeliverable the message."""
NOBODY = ""
"""In place of a message's id: there is nothing to tell."""
DAY_S = 86_400.0


class Ready(NamedTuple):
    """A message, and who has not got it."""

    message_id: str
    report: str
    content: bytes
    mailboxes: list[str]


class Outbox:
    """One file for one sink, used by one process."""

    def __init__(self, folder: FilePath, remembered_days: int, now: float) -> None:
        """Raises `sqlite3.Error` and `OSError`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "outbox.sqlite", isolation_level=None, timeout=10)
        self._db.executescript(_SCHEMA)
        old = now - remembered_days * DAY_S
        self._db.execute("DELETE FROM line WHERE at < ? AND message_id IS NOT NULL", (old,))
        self._db.execute("DELETE FROM message WHERE at < ?", (old,))
        self._db.execute("DELETE FROM recipient WHERE message_id NOT IN (SELECT message_id FROM message)")

    def add(self, lines: Sequence[tuple[str, Line]], now: float) -> None:
        """(report, line) each; an older revision than the known one changes nothing, and what was withdrawn before anybody
        was told is not told. In one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        for report, one in lines:
            row = self._db.execute(
                "SELECT revision, at, message_id, told FROM line WHERE report = ? AND natural_id = ?",
                (report, one.natural_id),
            ).fetchone()
            if row is not None and row[0] >= one.revision:
                continue
            told = row is not None and bool(row[3])
            at = row[1] if row is not None and row[2] is None else now
            nobody = NOBODY if one.withdrawn and not told else None
            new = (report, one.natural_id, one.revision, one.started_at, at, one.text, nobody, told)
            self._db.execute("INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?)", new)
        self._db.execute("COMMIT")

    def known(self, report: str, natural_id: str) -> int | None:
        """The revision that waits or was told."""
        row = self._db.execute(
            "SELECT revision FROM line WHERE report = ? AND natural_id = ?", (report, natural_id)
        ).fetchone()
        return None if row is None else int(row[0])

    def waiting(self, report: str) -> list[Line]:
        rows = self._db.execute(
            "SELECT natural_id, revision, started_at, text FROM line WHERE report = ? AND message_id IS NULL", (report,)
        )
        return [Line(*row) for row in rows]

    def first(self, report: str) -> float | None:
        """When the first of those came."""
        row = self._db.execute("SELECT min(at) FROM line WHERE report = ? AND message_id IS NULL", (report,)).fetchone()
        return None if row[0] is None else float(row[0])

    def put(self, report: str, message: Message, mailboxes: Sequence[str], lines: Sequence[Line], now: float) -> None:
        """From now on the message is what is to be sent. Lines that were there before are told by it."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(
            "INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?)", (message.message_id, report, now, message.content)
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO recipient VALUES (?, ?, ?, '')",
            [(message.message_id, mailbox, WAITING) for mailbox in mailboxes],
        )
        self._db.executemany(
            "UPDATE line SET message_id = ?, told = 1 WHERE report = ? AND natural_id = ? AND revision = ?",
            [(message.message_id, report, one.natural_id, one.revision) for one in lines],
        )
        self._db.execute("COMMIT")

    def ready(self) -> Iterator[Ready]:
        """What is not sent to everybody, the oldest first."""
        rows = self._db.execute(
            "SELECT message_id, report, content FROM message WHERE message_id IN"
            " (SELECT message_id FROM recipient WHERE state = ?) ORDER BY at, rowid",
            (WAITING,),
        ).fetchall()
        for message_id, report, content in rows:
            mailboxes = self._db.execute(
                "SELECT mailbox FROM recipient WHERE message_id = ? AND state = ? ORDER BY mailbox",
                (message_id, WAITING),
            )
            yield Ready(message_id, report, content, [mailbox for (mailbox,) in mailboxes])

    def settle(self, message_id: str, mailbox: str, state: str, words: str = "") -> None:
        self._db.execute(
            "UPDATE recipient SET state = ?, words = ? WHERE message_id = ? AND mailbox = ?",
            (state, words, message_id, mailbox),
        )

    def outcome(self, message_id: str) -> dict[str, tuple[str, str]]:
        """Mailbox → state, and the server's words."""
        rows = self._db.execute("SELECT mailbox, state, words FROM recipient WHERE message_id = ?", (message_id,))
        return {mailbox: (state, words) for mailbox, state, words in rows}

    def close(self) -> None:
        self._db.close()
