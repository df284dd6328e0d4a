"""InfluxDB's line protocol, written in two spellings. Pure.

`InfluxDB` lets a backslash in a name stand for itself, so that no name can end with one, and has no line break in a name;
`QuestDB` reads a backslash before anything as an escape.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

INT64 = range(-(2**63), 2**63)


class Unwritable(ValueError):
    """What no line can say; the message names it."""


@dataclass(frozen=True)
class Spelling:
    """How names (of measurements, tags, fields; values of tags) and texts are escaped. Raises `Unwritable`."""

    names: re.Pattern[str]
    """What takes a backslash in a name."""
    texts: re.Pattern[str]
    """What takes one in a text."""
    unnamed: re.Pattern[str]
    """What no name may hold."""

    def name(self, text: str, what: str = "name") -> str:
        if self.unnamed.search(text):
            raise Unwritable(
                f"{what} {text[:100]!r}: a line break or a backslash at its end cannot be written as a name"
            )
        return self.names.sub(r"\\\g<0>", _sendable(text, what))

    def text(self, text: str, what: str = "text") -> str:
        """In quotes."""
        return f'"{self.texts.sub(_escaped, _sendable(text, what))}"'

    def head(self, measurement: str, tags: Iterable[tuple[str, str]]) -> str:
        """Measurement and tags, sorted by name; a tag without a value is left out, for a line cannot say it."""
        return ",".join([
            self.name(measurement, "measurement"),
            *(f"{self.name(tag)}={self.name(value, tag)}" for tag, value in sorted(tags) if value),
        ])  # fmt: skip


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[0]


def _sendable(text: str, what: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unwritable(f"{what}: half of a surrogate pair stands in it, which UTF-8 cannot hold") from None
    return text


INFLUXDB = Spelling(re.compile(r"[,= ]"), re.compile(r'[\\"]'), re.compile(r"[\n\r]|\\\Z"))
QUESTDB = Spelling(re.compile(r"[\\,= \n\r]"), re.compile(r'[\\"\n\r]'), re.compile(r"(?!)"))


def integer(value: int, what: str = "integer") -> str:
    """Raises `Unwritable` beyond 64 bits."""
    if value not in INT64:
        raise Unwritable(f"{what}: {str(value)[:60]} does not fit 64 bits")
    return f"{value}i"


def size(line: str) -> int:
    """In bytes."""
    return len(line) if line.isascii() else len(line.encode())
