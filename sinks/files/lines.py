"""A row as a line: CSV (RFC 4180) or JSON. Pure.

Nothing between two delimiters is NULL, `""` an empty text. A number that is none is `NaN`, `Infinity` or `-Infinity`, in JSON
the text of it.
"""

import codecs
import json
import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sinks.files.config import FileSet

_MARKS = {"utf-8-sig": codecs.BOM_UTF8, "utf-16": codecs.BOM_UTF16_LE}
_INSIDE = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}
"""Encoding → that of what stands behind the byte order mark."""

_QUOTED = {delimiter: re.compile(rf'["\r\n\{delimiter}]|^\s|\s\Z|^\Z') for delimiter in ",;\t|"}
"""Delimiter → a text that must stand in quotes: what ends a cell, white space around it, nothing."""


class Unfit(ValueError):
    """A value that the file cannot hold; says which and why."""


def beginning(files: FileSet, columns: Sequence[str]) -> bytes:
    """What a file begins with. Raises `Unfit` for a column whose name the encoding lacks."""
    if files.format != "csv":
        return b""
    mark = _MARKS.get(files.encoding, b"")
    return mark + (_encoded(files, _line(files, columns)) if files.header else b"")


def inside(files: FileSet) -> str:
    """The encoding of a line, behind what a file begins with."""
    return _INSIDE.get(files.encoding, files.encoding) if files.format == "csv" else "utf-8"


def line(files: FileSet, columns: Sequence[str], values: Sequence[Any]) -> bytes:
    """Raises `Unfit`."""
    if files.format == "jsonl":
        told = {name: _json(files, value) for name, value in zip(columns, values, strict=True)}
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return _encoded(files, text + "\n", "utf-8")
    return _encoded(files, _line(files, [_text(files, value) for value in values]))


def _line(files: FileSet, cells: Sequence[str | None]) -> str:
    line = files.delimiter.join(_cell(files.delimiter, cell) for cell in cells)
    return (line or '""') + "\r\n"  # readers pass over a line with nothing


def _cell(delimiter: str, text: str | None) -> str:
    if text is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if _QUOTED[delimiter].search(text) else text


def _encoded(files: FileSet, text: str, encoding: str = "") -> bytes:
    try:
        return text.encode(encoding or _INSIDE.get(files.encoding, files.encoding))
    except UnicodeEncodeError as error:
        letter = text[error.start]
        if 0xD800 <= ord(letter) < 0xE000:
            raise Unfit("half of a surrogate pair stands in a text; no file can hold it") from None
        raise Unfit(f"the letter {letter!r} is not in {files.encoding}") from None


def _text(files: FileSet, value: Any) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value).replace(".", files.decimal)
        case datetime():
            return told(value, files.clock, files.time_format)
    return json.dumps(_json(files, value), ensure_ascii=False, separators=(",", ":"))


def _number(value: float) -> str:
    if isinstance(value, int) or math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def told(moment: datetime, zone: ZoneInfo, form: str | None) -> str:
    """A time as text. Raises `Unfit` for one that the zone moves out of the calendar."""
    try:
        local = moment.astimezone(zone)
    except OverflowError as error:
        raise Unfit(f"{moment.isoformat()}: {error}") from None
    return local.isoformat(timespec="microseconds") if form is None else local.strftime(form)


def _json(files: FileSet, value: Any) -> Any:
    match value:
        case datetime():
            return told(value, files.clock, files.time_format)
        case float() if not math.isfinite(value):
            return _number(value)
        case dict():
            return {name: _json(files, part) for name, part in value.items()}
        case list() | tuple():
            return [_json(files, part) for part in value]
    return value
