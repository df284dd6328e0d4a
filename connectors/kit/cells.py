"""What stands in one cell of a table, to values and times: text by the rules of its options, what a database gives by its
type. Pure.
"""

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from connectors.kit.payloads import BadPayload, check_text
from connectors.kit.times import BadTime, Unit, micros, shown
from schemas.records import Value

EMPTY = object()
"""What a cell says in which nothing stands: no text, NULL, NaN."""
NUMBER_MAX_CHARACTERS = 64
_SPACES = {"\u00a0": " ", "\u202f": " "}
"""Spaces that programs put between thousands."""
_SHEET_ERRORS = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"})


@dataclass(frozen=True)
class Cells:
    """The rules by which cells are read."""

    decimal: str = "."
    thousands: str = ""
    numbers: bool = True
    """Whether text that is a number is one."""
    words: Mapping[str, Value] = field(default_factory=dict)
    unit: Unit = "ms"
    format: str | None = None
    zone: ZoneInfo | None = None

    def value(self, column: str, cell: Any, plain: bool = False) -> Any:
        """The value of a tag, or `EMPTY`. `plain`: text stays text. Raises `BadPayload`."""
        if isinstance(cell, str):
            return self._of_text(column, cell, plain)
        return _typed(column, cell)

    def text(self, column: str, cell: Any) -> Any:
        """The cell as text, for a name or an id, or `EMPTY`; a whole number without a point. Raises `BadPayload`."""
        value = self.value(column, cell, plain=True)
        if value is EMPTY or isinstance(value, str):
            return value
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        return str(value)

    def number(self, column: str, cell: Any) -> Any:
        """The cell as a number, or `EMPTY`. Raises `BadPayload`."""
        value = self.value(column, cell)
        if isinstance(value, str) and not self.numbers:
            value = self._number(value)
        if isinstance(value, str | bool):
            raise BadPayload("bad_value", f"{column} = {shown(cell)} is no number; see `decimal` and `thousands`")
        return value

    def time(self, column: str, cell: Any) -> Any:
        """The cell as µs since 1970, or `EMPTY`. Raises `BadPayload`."""
        if isinstance(cell, str):
            cell = cell.strip()
            if self.words.get(cell, cell) is None or not cell:
                return EMPTY
        elif cell is None or cell is EMPTY or _is_nan(cell):
            return EMPTY
        try:
            return micros(self._moment(cell), self.unit, self.zone, self.format)
        except BadTime as error:
            raise BadPayload("bad_time", f"{column}: {error}") from None

    def _moment(self, cell: Any) -> Any:
        """What `micros` reads."""
        if isinstance(cell, datetime | date):
            return cell.isoformat()
        if isinstance(cell, Decimal):
            return int(cell) if abs(cell) < 2**63 and cell == cell.to_integral_value() else float(cell)
        return cell

    def _of_text(self, column: str, cell: str, plain: bool) -> Any:
        text = cell.strip()
        if text in self.words:
            known = self.words[text]
            return EMPTY if known is None else known
        if not text:
            return EMPTY
        if text in _SHEET_ERRORS:
            raise BadPayload("bad_value", f"{column} = {text}: the formula of this cell failed")
        if not text.isascii():
            check_text(text, column[:80])
        return text if plain or not self.numbers else self._number(text)

    def _number(self, text: str) -> Value:
        if len(text) > NUMBER_MAX_CHARACTERS:
            return text
        plain = text
        if self.thousands == " ":
            for space in _SPACES:
                plain = plain.replace(space, " ")
        found = _pattern(self.decimal, self.thousands).fullmatch(plain)
        if found is None:
            return text
        if self.thousands:
            plain = plain.replace(self.thousands, "")
        if all(found[part] is None for part in ("fraction", "bare", "exponent")):
            whole = int(plain)
            return whole if -(2**63) <= whole < 2**63 else text
        number = float(plain.replace(self.decimal, "."))
        return number if math.isfinite(number) else text


@functools.cache
def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    """A number as it is written: `12`, `-1.234,5` with both marks, `.5`, `1e-3`."""
    point = re.escape(decimal)
    grouped = rf"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|" if thousands else ""
    return re.compile(
        rf"[+-]?(?:(?:{grouped}[0-9]+)(?P<fraction>{point}[0-9]*)?|(?P<bare>{point}[0-9]+))(?P<exponent>[eE][+-]?[0-9]+)?"
    )


def _typed(column: str, cell: Any) -> Any:
    """What a database, a sheet or JSON gives as more than text."""
    if cell is None or cell is EMPTY:
        return EMPTY
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, int):
        if not -(2**63) <= cell < 2**63:
            raise BadPayload("bad_value", f"{column} = {shown(cell)} does not fit 64 bits")
        return cell
    if isinstance(cell, float | Decimal):
        return _fraction(column, cell)
    if isinstance(cell, datetime | date | time_of_day):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, UUID):
        return str(cell)
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell).hex()
    raise BadPayload(
        "bad_value", f"{column} is a {type(cell).__name__}; a number, a text, a time or true, false is expected"
    )


def _fraction(column: str, cell: float | Decimal) -> Any:
    if _is_nan(cell):
        return EMPTY
    if isinstance(cell, Decimal) and cell.is_finite() and cell.as_tuple().exponent == 0 and abs(cell) < 2**63:
        return int(cell)
    number = float(cell)
    if not math.isfinite(number):
        raise BadPayload("bad_value", f"{column} = {shown(cell)} is no number that 64 bits hold")
    return number


def _is_nan(cell: Any) -> bool:
    """How many programs write that nothing is there."""
    return cell.is_nan() if isinstance(cell, Decimal) else isinstance(cell, float) and math.isnan(cell)
