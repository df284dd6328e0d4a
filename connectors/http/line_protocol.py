"""InfluxDB's line protocol to points. Pure: what is no point is told as `BadLine`, never raised."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from schemas.records import Value

# Each part begins differently and gives nothing back (`++`): the time is linear, whatever stands there. In a name a backslash
# escapes a comma, an equals sign or a space, and before anything else stands for itself: `a\\,b` is a, \, comma, b.
_LINE = re.compile(
    r"(?P<head>(?:\\[,= ]|[^ \n])++) ++"
    r'(?P<fields>(?:"(?:\\[\s\S]|[^"\\])*+"|\\[,= "]|[^" \n])++)'
    r"(?: ++(?P<at>-?\d{1,19}))?+[ \r]*+(?:\n|\Z)"
)
_NAME = re.compile(r"((?:\\[,= ]|[^,\n])++)(,|\Z)")
_PAIR = re.compile(r"((?:\\[,= ]|[^,=\n])++)=((?:\\[,= ]|[^,=\n])++)(,|\Z)")
_FIELD = re.compile(r'((?:\\[,= ]|[^,=\n])++)=("(?:\\[\s\S]|[^"\\])*+"|[^",\n]++)(,|\Z)')
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_IN_TEXT = re.compile(r'\\(["\\])')
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_INTEGER = re.compile(r"(-?\d{1,20})[iu]")
_BOOLEANS = {word: word[0] in "tT" for word in ("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE")}


class Point(NamedTuple):
    """One line. A field that is no value stands among the bad ones, by its name, with the reason and the words."""

    line: str
    measurement: str
    tags: dict[str, str]
    fields: dict[str, Value]
    bad: dict[str, tuple[str, str]]
    at: int | None


class BadLine(NamedTuple):
    line: str
    message: str


def points(text: str) -> Iterator[Point | BadLine]:
    """The points of a body, in order; comments and empty lines say nothing."""
    place = 0
    while place < len(text):
        end = text.find("\n", place) + 1 or len(text)
        begin = text[place:end].strip()
        if not begin or begin.startswith("#"):
            place = end
            continue
        match = _LINE.match(text, place + len(text[place:end]) - len(text[place:end].lstrip(" ")))
        if match is None:
            yield BadLine(text[place:end], "a line is `measurement,tag=a field=1 time`, its time a whole number")
            place = end
            continue
        yield _point(match)
        place = match.end()


def _point(match: re.Match[str]) -> Point | BadLine:
    line, head = match[0], match["head"]
    name = _NAME.match(head)
    tags = None if name is None else _pairs(_PAIR, head[name.end() :], more=name[2] == ",")
    fields = _pairs(_FIELD, match["fields"], more=True)
    if name is None or tags is None or fields is None:
        return BadLine(line, "the tags or the fields are no name=value pairs set apart by commas")
    good: dict[str, Value] = {}
    bad: dict[str, tuple[str, str]] = {}
    for field, written in fields:
        try:
            good[_plain(field)] = _value(written)
        except ValueError as error:
            bad[_plain(field)] = ("bad_value", str(error))
    named = {_plain(tag): _plain(value) for tag, value in tags}
    return Point(line, _plain(name[1]), named, good, bad, int(match["at"]) if match["at"] else None)


def _pairs(kind: re.Pattern[str], text: str, more: bool) -> list[tuple[str, str]] | None:
    """`more`: a comma stands before, so that there must be one."""
    found, place = [], 0
    while more:
        match = kind.match(text, place)
        if match is None:
            return None
        found.append((match[1], match[2]))
        place, more = match.end(), match[3] == ","
    return found if place == len(text) else None


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _value(written: str) -> Value:
    if written.startswith('"'):
        return _ESCAPED_IN_TEXT.sub(r"\1", written[1:-1])
    if written in _BOOLEANS:
        return _BOOLEANS[written]
    if (whole := _INTEGER.fullmatch(written)) and written.isascii():
        if not -(2**63) <= (number := int(whole[1])) < 2**63:
            raise ValueError(f"{written[:80]} does not fit 64 bits")
        return number
    if _FLOAT.fullmatch(written) and written.isascii():
        if not math.isfinite(real := float(written)):
            raise ValueError(f"{written[:80]} does not fit 64 bits")
        return real
    raise ValueError(f'{written[:80]!r} is no value; 1.5, 3i, 3u, true or "text" is expected')
