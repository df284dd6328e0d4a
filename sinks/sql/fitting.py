"""A value as the column it goes to can hold it: by the column's type, as the database says it. Pure.

A time of a column that knows no zone is written as local time of the configured one; of one that does, as the moment.
"""

import json
import math
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import types as kinds
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine


class Unfit(ValueError):
    """A value that the column cannot hold; says which and why."""


_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


def fitted(value: Any, kind: TypeEngine[Any], zone: ZoneInfo) -> Any:
    """Raises `Unfit`."""
    if value is None:
        return None
    if isinstance(value, str):
        _check_text(value)
        if isinstance(kind, kinds.String):
            return value
    match kind:
        case kinds.DateTime() | kinds.Date() | kinds.Time():
            return _time(value, kind, zone)
        case kinds.Boolean():
            return _boolean(value)
        case kinds.Integer():
            return _integer(value)
        case kinds.Float():
            return _float(value)
        case kinds.Numeric():
            return _decimal(value)
        case kinds.JSON():
            return _parts(value)
        case kinds.Uuid():
            return _uuid(value)
        case kinds.LargeBinary() | kinds.BINARY() | kinds.VARBINARY():
            return value if isinstance(value, bytes) else written(value).encode()
    return written(value)


def written(value: Any) -> str:
    """As text: times in ISO 8601, what has parts as JSON."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat(timespec="microseconds")
        case list() | dict() | tuple():
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            _check_text(text)
            return text
    return str(value)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit("half of a surrogate pair stands in a text; no database can hold it") from None


def _time(value: Any, kind: TypeEngine[Any], zone: ZoneInfo) -> Any:
    moment = _cut(_moment(value, zone), kind)
    if isinstance(kind, mysql.TIMESTAMP):  # the session's zone is UTC, and the column holds moments
        return moment.astimezone(UTC).replace(tzinfo=None)
    try:
        local = moment.astimezone(zone)
    except OverflowError as error:
        raise Unfit(f"{value}: {error}") from None
    if isinstance(kind, kinds.Date):
        return local.date()
    if isinstance(kind, kinds.Time):
        return local.time()
    return moment if getattr(kind, "timezone", False) else local.replace(tzinfo=None)


def _cut(moment: datetime, kind: TypeEngine[Any]) -> datetime:
    """To the digits of the column: left to them, MySQL would round and MariaDB cut, and a key be another one than we look for."""
    if not isinstance(kind, mysql.DATETIME | mysql.TIMESTAMP | mysql.TIME):
        return moment
    unit = 10 ** (6 - (kind.fsp or 0))
    return moment.replace(microsecond=moment.microsecond // unit * unit)


def _moment(value: Any, zone: ZoneInfo) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise Unfit(f"{_shown(value)} is no time")
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise Unfit(f"{_shown(value)} is no time in ISO 8601") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
    elif value in (0, 1):
        return bool(value)
    raise Unfit(f"{_shown(value)} is neither true nor false")


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        number = value
    else:
        exact = _decimal(value)
        if exact != exact.to_integral_value():
            raise Unfit(f"{_shown(value)} is no whole number")
        number = int(exact)
    if not -(2**63) <= number < 2**64:
        raise Unfit(f"{_shown(value)} is too large a number")
    return number


def _float(value: Any) -> float:
    if isinstance(value, str | bool | Decimal):
        value = _decimal(value)
    try:
        return float(value)
    except (TypeError, OverflowError):
        raise Unfit(f"{_shown(value)} is no number") from None


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        return Decimal(int(value))
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise Unfit(f"{_shown(value)} is no number") from None
    if not number.is_finite() or abs(number.adjusted()) > 400:
        raise Unfit(f"{_shown(value)} is no number that a column could hold")
    return number


def _parts(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    written(value)
    return value


def _uuid(value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise Unfit(f"{_shown(value)} is no UUID") from None


def is_number(value: Any) -> bool:
    """Whether a database without NaN and infinity can hold it."""
    return not isinstance(value, float) or math.isfinite(value)


def _shown(value: Any) -> str:
    return repr(value)[:60]
