"""Records of text files to readings and facts: CSV by its header, JSON lines. Pure."""

import csv
from collections import Counter
from typing import Any

from connectors.base import Malformed, Said
from connectors.files.config import FileSet
from connectors.files.lines import Record, Text, marked, records
from connectors.kit.message import MESSAGE_MAX
from connectors.kit.payloads import BadPayload, document, flat
from connectors.kit.rows import Row, RowReader
from connectors.kit.times import shown

JSON_MAX_BYTES = 1_000_000
COLUMNS_MAX = 10_000


class BadHeader(Exception):
    """A file whose columns are not those that are expected. It is not read; the words say what to do."""


class TextDecoder:
    """Reads the records of one file. `begin` first: it says where they begin."""

    def __init__(self, entry: FileSet, name: str) -> None:
        self._entry, self._name = entry, name
        self._rows = RowReader(entry)
        self._about = about(name)
        self._header: list[str] | None = None
        self._json = entry.format == "json_lines"
        self.text = Text(entry.encoding)

    def begin(self, head: bytes, last: bool) -> tuple[int, int] | None:
        """Where the first record begins, and which line that is; None: more of the file is needed. `head` is how the file
        begins, `last`: that is all of it. Raises `BadHeader`.
        """
        entry = self._entry
        encoding, start = marked(head, entry.encoding)
        self.text = Text(encoding) if self._json else Text(encoding, entry.delimiter, entry.quote)
        lines = 0
        headless = self._json or bool(entry.columns)
        if entry.columns:
            self._header = list(entry.columns)
        wanted = entry.skip_lines + (not headless)
        if not wanted:
            return (start, 0) if head or last else None
        plain = Text(encoding)  # what is skipped need not be CSV
        for _ in range(entry.skip_lines):
            record = next(records(head[start:], plain, last=last), None)
            if record is None:
                return None
            start, lines = start + record.used, lines + 1
        if not headless:
            record = next(records(head[start:], self.text, last=last), None)
            if record is None:
                return None
            self._header = self._columns(record)
            start, lines = start + record.used, lines + record.lines
        return start, lines

    def said(self, record: Record, line: int) -> list[Said]:
        """What a record says, which begins on that line (from 1)."""
        origin = f"{self._name}:{line}"
        if record.bad is not None:
            return [Malformed(origin, record.data, record.bad[0], f"{origin}: {record.bad[1]}")]
        try:
            row = self._json_row(record.data) if self._json else self._row(record.data)
        except BadPayload as bad:
            if record.lines > 1:  # a quote too many may have put lines together that are none
                return self._by_line(record, line)
            return [Malformed(origin, record.data, bad.reason, f"{origin}: {bad}"[:MESSAGE_MAX])]
        return [] if row is None else self._rows.said(origin, row, record.data, self._about)

    def _by_line(self, record: Record, line: int) -> list[Said]:
        plain = records(record.data, Text(self.text.encoding), last=True)
        return [thing for number, part in enumerate(plain) for thing in self.said(part, line + number)]

    # -- CSV ---------------------------------------------------------------------------------------------------

    def _columns(self, record: Record) -> list[str]:
        try:
            names = [name.strip() for name in self._cells(record.data)]
        except BadPayload as bad:
            raise BadHeader(f"its header cannot be read: {bad}") from None
        check_columns(self._entry, names)
        return names

    def _row(self, data: bytes) -> Row | None:
        cells, header = self._cells(data), self._header or []
        while len(cells) > len(header) and not cells[-1].strip():  # many programs put a delimiter behind the last cell
            cells.pop()
        if not any(cells):
            return None
        if len(cells) != len(header):
            raise BadPayload("bad_row", f"{len(cells)} cells, the header has {len(header)}; is `delimiter` right?")
        if [cell.strip() for cell in cells] == header:  # a program that was started again writes it again
            return None
        return dict(zip(header, cells, strict=True))

    def _cells(self, data: bytes) -> list[str]:
        entry = self._entry
        text = _decoded(data, self.text.encoding).rstrip("\r\n")
        if "\0" in text:
            raise BadPayload("bad_text", "zero bytes stand in it")
        if not text.strip():
            return []
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")  # within a quoted cell
        try:
            return next(csv.reader([text], delimiter=entry.delimiter, quotechar=entry.quote or None, quoting=csv.QUOTE_MINIMAL if entry.quote else csv.QUOTE_NONE, strict=True))  # fmt: skip
        except (csv.Error, StopIteration) as error:
            raise BadPayload("bad_row", f"no CSV: {error}") from None

    # -- JSON lines --------------------------------------------------------------------------------------------

    def _json_row(self, data: bytes) -> Row | None:
        text = _decoded(data, self.text.encoding)
        if not text.strip():
            return None
        read: Any = document(text.encode(), JSON_MAX_BYTES)
        if not isinstance(read, dict):
            raise BadPayload("bad_payload", f"a JSON object is expected, this is a {type(read).__name__}")
        return dict(flat(read, 0))


def about(name: str) -> dict[str, str]:
    """What the place of a file gives a row beside its columns."""
    folder, _, file = name.rpartition("/")
    return {"file": file.rpartition(".")[0] or file, "folder": folder.rpartition("/")[2]}


def check_columns(entry: FileSet, names: list[str]) -> None:
    """Raises `BadHeader` where a column that is needed is not there, or stands there twice."""
    if len(names) > COLUMNS_MAX:
        raise BadHeader(f"its header has {len(names)} columns, {COLUMNS_MAX} are the most")
    counts = Counter(names)
    needed = entry.columns_of_files
    if missing := sorted(needed - counts.keys()):
        raise BadHeader(
            f"its header lacks {', '.join(map(shown, missing))[:300]}; it has {', '.join(map(shown, names))[:300]}"
        )
    implied = {name for name in counts if name} if not entry.fields and entry.row == "wide" else set()
    if doubled := sorted(name for name in needed | implied if counts[name] > 1):
        raise BadHeader(f"its header names {', '.join(map(shown, doubled))[:300]} twice: nobody knows which counts")


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadPayload("bad_text", f"not {encoding}: {error.reason} at byte {error.start}; see `encoding`") from None
