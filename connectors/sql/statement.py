"""The SELECT of a query from a place on, in SQLAlchemy's terms; its dialects write it. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    LargeBinary,
    Numeric,
    Select,
    Uuid,
    and_,
    bindparam,
    column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.types import NullType, TypeEngine

from connectors.kit.mark import Mark
from connectors.sql.config import Query


def page(query: Query, after: Mark | None, since: Any = None, above: Any = None) -> Select[Any]:
    """At most `rows_max` rows in the order of watermark and key: after a row, or from a watermark on, or above one."""
    names = dict.fromkeys((query.watermark, *query.key))  # a key may be the watermark itself
    order: list[ColumnElement[Any]] = [column(name) for name in names]
    chosen = select(text("*")).select_from(_rows(query)).order_by(*order).limit(query.rows_max)
    if after is not None:
        values = dict(zip((query.watermark, *query.key), (after.watermark, *after.key), strict=True))
        return chosen.where(_greater(order, tuple(values.values())))
    if above is not None:
        return chosen.where(order[0] > _value(above))
    if since is not None:
        return chosen.where(order[0] >= _value(since))
    return chosen.where(order[0].is_not(None))  # as all the others do


def _rows(query: Query) -> Any:
    if query.query is not None:
        return text(_escaped(query.query)).columns().subquery("asked")
    schema, _, name = (query.table or "").rpartition(".")
    return table(name, schema=schema or None)


def _escaped(statement: str) -> str:
    """A colon begins a parameter for SQLAlchemy; none is one here."""
    return statement.replace("\\:", ":").replace(":", "\\:")


def _greater(order: list[ColumnElement[Any]], values: tuple[Any, ...]) -> ColumnElement[bool]:
    """(a, b) > (1, 2), written so that every database uses an index and none needs row values."""
    first, *others = order
    beyond: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for part, value in zip(order, values, strict=True):
        beyond.append(and_(*equal, part > _value(value)))
        equal.append(part == _value(value))
    return and_(first >= _value(values[0]), or_(*beyond)) if others else beyond[0]


def _value(value: Any) -> ColumnElement[Any]:
    return bindparam(None, value, type_=_type(value))


def _type(value: Any) -> TypeEngine[Any]:
    """The type of a parameter. Where it is left open, the database takes that of the column beside it."""
    match value:
        case int():
            return BigInteger()
        case datetime():
            return DateTime(timezone=value.tzinfo is not None)
        case Decimal():
            return Numeric()
        case UUID():
            return Uuid()
        case bytes():
            return LargeBinary()
    return NullType()
