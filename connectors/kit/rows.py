"""Rows of a table to readings and facts. Pure: whatever a row holds, the answer is readings, facts or `Malformed`."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from connectors.base import FactReading, Malformed, Reading, Said
from connectors.kit.cells import EMPTY
from connectors.kit.message import FACTS, MESSAGE_MAX, TIMES
from connectors.kit.payloads import BadPayload, check_text
from connectors.kit.row_shape import ATTRIBUTE, PLACE, RowShape, columns_of
from connectors.kit.times import shown
from schemas.records import GOOD, Sample
from topology.namespace.path import BadPath, Path

Row = Mapping[str, Any]
"""Column → cell: text, or what a database gives."""
PLACES_MAX = 10_000
"""Paths that are remembered: rows that invent places must not fill the memory."""
_NOT_A_TAG = ""
"""The name of a column that has none."""


class RowReader:
    """Reads the rows of one table by its shape."""

    def __init__(self, shape: RowShape) -> None:
        self._shape, self._cells = shape, shape.cells
        self._texts = frozenset(shape.texts)
        self._not_tags = shape.columns_named
        self._places: dict[str, Path | BadPath] = {}
        self._fact_fields = _fields(shape) if shape.row in FACTS else {}

    def said(self, origin: str, row: Row, payload: bytes, about: Mapping[str, str] | None = None) -> list[Said]:
        """What a row says. A bad cell of a wide row does not spoil the others.

        `origin` names the row, for errors; `payload` is what goes to quarantine of it; `about` are columns of names that a
        row does not have itself.
        """
        whole = {**about, **row} if about else row
        path: Path | None = None
        try:
            path = self._path(whole)
            if self._shape.row in FACTS:
                return [FactReading(path, self._fact(whole))]
            at, quality = self._at(whole), self._quality(whole)
            if self._shape.row == "long":
                return self._long(path, whole, at, quality)
        except BadPayload as bad:
            return [Malformed(origin, payload, bad.reason, f"{origin}: {bad}"[:MESSAGE_MAX], path)]
        return list(self._wide(origin, path, row, whole, at, quality))

    # -- where and when ----------------------------------------------------------------------------------------

    def _path(self, row: Row) -> Path:
        text = self._filled(self._shape.path, row, self._shape.level)
        place = self._places.get(text)
        if place is None:
            if len(self._places) >= PLACES_MAX:
                self._places.clear()
            try:
                place = Path.parse(text)
            except BadPath as error:
                place = error
            self._places[text] = place
        if isinstance(place, BadPath):
            raise BadPayload("no_path", f"the row gives no path: {place}; `levels: spelled` spells it anew")
        return place

    def _filled(self, template: str, row: Row, level: Callable[[str], str] | None = None) -> str:
        """Raises `BadPayload` for a column that is not there or empty. `level`: the text is a path of such."""

        def cell(match: re.Match[str]) -> str:
            column = match[1]
            text = self._cells.text(column, _cell(row, column))
            if text is EMPTY:
                raise BadPayload(
                    "bad_row" if level is None else "no_path", f"the column {shown(column)} is empty or missing"
                )
            try:
                return str(text) if level is None else level(text)
            except BadPath as error:
                raise BadPayload("no_path", f"{error}; `levels: spelled` spells it anew") from None

        return PLACE.sub(cell, template)

    def _at(self, row: Row) -> int:
        at = self._time(self._shape.at or "", row)
        if at is EMPTY:
            raise BadPayload("bad_time", f"the row has no time: {self._shape.at!r} is empty or missing")
        assert isinstance(at, int)
        return at

    def _time(self, source: str, row: Row) -> Any:
        columns = columns_of(source)
        if source == columns[0]:
            return self._cells.time(source, _cell(row, source))
        cells = {column: _cell(row, column) for column in columns}
        if any(self._cells.value(column, cell, plain=True) is EMPTY for column, cell in cells.items()):
            return EMPTY
        return self._cells.time(source, PLACE.sub(lambda match: _time_text(cells[match[1]]), source))

    def _quality(self, row: Row) -> int:
        column = self._shape.quality
        if column is None:
            return GOOD
        text = self._cells.text(column, _cell(row, column))
        if text is EMPTY:
            raise BadPayload("bad_quality", f"{column} is empty or missing; no quality is invented")
        if (code := self._shape.code(text)) is None:
            raise BadPayload("bad_quality", f"{column} = {shown(text)} is no quality; name it in `qualities`")
        return code

    # -- what --------------------------------------------------------------------------------------------------

    def _long(self, path: Path, row: Row, at: int, quality: int) -> list[Said]:
        shape = self._shape
        tag, column = self._filled(shape.tag or "", row), shape.value or ""
        check_text(tag, "a tag")
        value = self._value(column, _cell(row, column))
        return [] if value is EMPTY else [Reading(path, Sample(tag, at, value, quality))]

    def _wide(self, origin: str, path: Path, row: Row, whole: Row, at: int, quality: int) -> Iterator[Said]:
        fields = self._shape.fields
        tags = fields.items() if fields else ((column, column) for column in row if column not in self._not_tags)
        for tag, source in tags:
            if tag == _NOT_A_TAG:
                continue
            cell: Any = None
            try:
                check_text(tag, "a column")
                cell = self._source(source, whole)
                value = self._value(source, cell)
            except BadPayload as bad:
                part = json.dumps({source: cell}, default=str).encode()
                yield Malformed(origin, part, bad.reason, f"{origin}: {bad}"[:MESSAGE_MAX], path)
                continue
            if value is not EMPTY:
                yield Reading(path, Sample(tag, at, value, quality))

    def _source(self, source: str, row: Row) -> Any:
        """The cell of a column, or the text of a template."""
        return self._filled(source, row) if source not in row and PLACE.search(source) else _cell(row, source)

    def _value(self, column: str, cell: Any) -> Any:
        value = self._cells.value(column, cell, plain=column in self._texts)
        return None if value is EMPTY and self._shape.empty == "null" else value

    def _fact(self, row: Row) -> Any:
        read: dict[str, Any] = {}
        for name, (source, kind) in self._fact_fields.items():
            if kind == "time":
                cell = self._time(source, row)
            else:
                cell = getattr(self._cells, kind)(source, self._source(source, row))
            if cell is EMPTY:
                continue
            told = int(cell) if kind == "number" and isinstance(cell, float) and cell.is_integer() else cell
            if name.startswith(ATTRIBUTE):
                read.setdefault("attributes", {})[name.removeprefix(ATTRIBUTE)] = told
            else:
                read[name] = told
        fact = FACTS[self._shape.row]
        try:
            return msgspec.convert({**self._shape.constants, **read}, fact)
        except msgspec.ValidationError as error:
            raise BadPayload("bad_fact", f"not a {fact.__name__}: {error}") from None


def as_json(row: Row) -> bytes:
    """A row for quarantine, where the source has no bytes of its own for it."""
    return json.dumps(dict(row), default=_plain, ensure_ascii=True).encode()


def _plain(value: Any) -> str:
    return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else str(value)


def _cell(row: Row, column: str) -> Any:
    return row.get(column, EMPTY)


def _time_text(cell: Any) -> str:
    """A part of a time in two columns: of a sheet's date, which has a time of midnight, the date alone."""
    if isinstance(cell, datetime) and cell.time() == datetime.min.time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date | datetime) else str(cell).strip()


NOT_OF_ROWS = frozenset({"attributes", "breaks", "defects", "passed"})
"""Fields of facts that no cell holds."""


def _fields(shape: RowShape) -> dict[str, tuple[str, str]]:
    """Field of the fact → its column and how its cell is read."""
    found = {}
    for field in msgspec.structs.fields(FACTS[shape.row]):
        if field.name in shape.constants or field.name in NOT_OF_ROWS:
            continue
        source = shape.fields.get(field.name, None if shape.fields else field.name)
        if source is not None:
            kind = "time" if field.name in TIMES else "text" if "str" in str(field.type) else "number"
            found[field.name] = (source, kind)
    return found | {name: (source, "text") for name, source in shape.fields.items() if name.startswith(ATTRIBUTE)}
