"""Bytes of a text file cut into records: a line, or several where a quoted cell of CSV holds line breaks. Pure."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

RECORD_MAX_BYTES = 1_000_000
RECORD_LINES_MAX = 100
"""A quote that is never closed must not swallow the file: behind so many lines it counts as a mistake of its first line."""
SHOWN_BYTES = 10_000
"""Of a line that is too long, what goes to quarantine."""
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Record(NamedTuple):
    """A record and what it takes of the file. `bad`: why it is none, with a reason."""

    data: bytes
    used: int
    lines: int
    bad: tuple[str, str] | None = None
    cut: bool = False
    """Whether its line goes on: what follows up to the next line break is of it, too."""


@dataclass(frozen=True)
class Text:
    """How a file of text is written."""

    encoding: str
    delimiter: str = ""
    quote: str = ""
    """Empty: a line is a record."""

    @property
    def newline(self) -> bytes:
        return "\n".encode(self.encoding)

    @property
    def zero(self) -> bytes:
        return "\0".encode(self.encoding)


def marked(head: bytes, encoding: str) -> tuple[str, int]:
    """The encoding of a file by its byte order mark, and the bytes of that; without one the given encoding, and 0."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    return encoding, 0


def find(data: bytes, wanted: bytes, start: int = 0) -> int:
    """Where a character stands in bytes that begin with a whole one; -1: nowhere."""
    place = data.find(wanted, start)
    while place % len(wanted) and place >= 0:
        place = data.find(wanted, place + 1)
    return place


def records(data: bytes, text: Text, skipping: bool = False, last: bool = False) -> Iterator[Record]:
    """The whole records that bytes begin with. `skipping`: they begin inside of a line that is too long. `last`: nothing
    will follow these bytes, so that what has no line break at its end is whole, too.
    """
    start = 0
    if skipping:
        end = find(data, text.newline)
        start = len(data) if end < 0 else end + len(text.newline)
        yield Record(b"", start, int(end >= 0), cut=end < 0)
    while start < len(data):
        record = _next(data, start, text, last)
        if record is None:
            return
        yield record
        start += record.used


def _next(data: bytes, start: int, text: Text, last: bool) -> Record | None:
    end = find(data, text.newline, start)
    if end < 0:
        return _rest(data, start, text, last)
    first = end + len(text.newline)
    if first - start > RECORD_MAX_BYTES:
        return _too_long(data[start:first], 1, cut=False)
    if not text.quote or not (opens := _open(text.quote, data[start:first], text)):
        return Record(data[start:first], first - start, 1)
    for lines in range(2, RECORD_LINES_MAX + 1):
        before, end = end, find(data, text.newline, end + len(text.newline))
        if end < 0:
            if last:  # the record may close at the end of the file, without a line break
                rest = data[before + len(text.newline) :]
                if rest and not _open(text.quote, rest, text, opens):
                    return Record(data[start:], len(data) - start, lines)
                break
            if len(data) - start <= RECORD_MAX_BYTES:
                return None
            break
        if end - start > RECORD_MAX_BYTES:
            break
        stop = end + len(text.newline)
        opens = _open(text.quote, data[before + len(text.newline) : stop], text, opens)
        if not opens:
            return Record(data[start:stop], stop - start, lines)
    words = f"a quote is opened and not closed within {RECORD_LINES_MAX} lines; is `quote` right?"
    return Record(data[start:first], first - start, 1, ("open_quote", words))


def _rest(data: bytes, start: int, text: Text, last: bool) -> Record | None:
    """What stands behind the last line break."""
    size = len(data) - start
    if size > RECORD_MAX_BYTES:
        return _too_long(data[start:], 1, cut=True)
    if not last:
        return None
    if text.quote and _open(text.quote, data[start:], text):
        return Record(data[start:], size, 1, ("open_quote", "the file ends inside of a quoted cell"))
    return Record(data[start:], size, 1)


def _too_long(data: bytes, lines: int, cut: bool) -> Record:
    words = f"a line of more than {RECORD_MAX_BYTES} bytes; its first {SHOWN_BYTES} are here"
    return Record(data[:SHOWN_BYTES], len(data), 0 if cut else lines, ("too_large", words), cut)


def _open(quote: str, data: bytes, text: Text, opened: bool = False) -> bool:
    """Whether a quoted cell is open at the end of a line, which begins inside of one where `opened`.

    A quote opens a cell only where the cell begins: `5" pipe` is no quoted cell.
    """
    if quote.encode(text.encoding) not in data:
        return opened
    line = data.decode(text.encoding, "replace")
    inside, begins, place = opened, not opened, 0
    while place < len(line):
        letter = line[place]
        if inside:
            if letter == quote:
                if line[place + 1 : place + 2] == quote:
                    place += 1
                else:
                    inside = False
        elif letter == quote and begins:
            inside = True
        begins = not inside and letter == text.delimiter
        place += 1
    return inside
