"""What a delivery changes in the tables: rows as they are to stand there, and rows that are not to stand there. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

from sinks.base import Delivery
from sinks.kit.rows import Row, plain, record_of, rows
from sinks.kit.template import MAPS, OMITTED, UnfitValue, fill
from sinks.sql.config import WITHDRAWN, SqlSinkConfig, TableMapping
from sinks.sql.fitting import Unfit, fitted, is_number, written
from sinks.sql.statements import Key, Target

VALUE_SIZE = 8
"""Bytes that a value which is no text counts for."""


class Change(NamedTuple):
    """One row of one table."""

    target: int
    """Its number."""
    key: Key
    row: Row | None
    """None: it is to go."""
    revision: Any = None
    only_there: bool = False
    """It changes a row that is there, and makes none."""


@dataclass(frozen=True)
class Prepared:
    """A delivery as changes."""

    delivery: Delivery
    changes: list[Change]
    bytes: int = field(default=0)


def prepared(makers: Sequence["Maker"], delivery: Delivery) -> Prepared:
    """Raises `Unfit` where a row cannot be made, or a column cannot hold it; says which."""
    record, changes = record_of(delivery), []
    wanting = [maker for maker in makers if maker.mapping.record == record]
    if not wanting:
        return Prepared(delivery, [])
    try:
        found = rows(delivery)
    except OverflowError as error:
        raise Unfit(f"a time that no calendar has: {error}") from None
    for maker in wanting:
        try:
            changes += [change for row in found for change in maker.change(row)]
        except (Unfit, UnfitValue) as error:
            raise Unfit(f"table {maker.mapping.called}: {error}") from None
    return Prepared(delivery, changes, sum(size(change) for change in changes))


def shown(config: SqlSinkConfig, mapping: TableMapping, delivery: Delivery) -> Iterator[Row]:
    """What each row says before it is fitted to columns, for people. Raises `UnfitValue` and `OverflowError`."""
    for row in rows(delivery):
        takes = mapping.takes(row, _maps(config))
        if not takes and mapping.record == "samples":
            continue
        gone = not takes or bool(row.get(WITHDRAWN))
        told = _told(config, mapping, {**row, WITHDRAWN: True} if gone else row)
        values = {name: _value(mapping, told, name) for name in mapping.columns or row}
        yield {"removed": gone, "values": values}


class Maker:
    """Rows of one mapping."""

    def __init__(self, config: SqlSinkConfig, number: int, target: Target, dialect: str) -> None:
        self.mapping, self._number, self._target = config.tables[number], number, target
        self._zone, self._maps, self._has_nan = config.clock, _maps(config), dialect == "postgresql"
        self._kinds = {name: target.table.c[name].type for name in target.columns}
        self._marks, self._ours = self.mapping.on_withdrawn == "mark", self.mapping.ours

    def change(self, row: Row) -> Iterator[Change]:
        mapping, target = self.mapping, self._target
        takes = mapping.takes(row, self._maps)
        if not takes and mapping.record == "samples":
            return  # a sample never changes from wanted to unwanted
        gone = not takes or bool(row.get(WITHDRAWN))
        if gone and WITHDRAWN in row:
            row = {**row, WITHDRAWN: True}
        told = self._without_nan(row) if self._ours else {**plain(row), MAPS: self._maps}
        stays = self._marks or not gone
        names = target.columns if stays else (*target.key, *((target.revision,) if target.revision else ()))
        values = {name: self._fitted(told, name) for name in names}
        key = tuple(values[name] for name in target.key)
        if None in key:
            raise Unfit(f"column {target.key[key.index(None)]!r} of the key is NULL")
        revision = values[target.revision] if target.revision else None
        yield Change(self._number, key, values if stays else None, revision, only_there=gone and stays)

    def _fitted(self, told: Row, name: str) -> Any:
        try:
            value = told[name] if self._ours else _value(self.mapping, told, name)
            if not self._has_nan and not is_number(value):
                raise Unfit(f"{value!r} is no number that this database could hold")
            return fitted(value, self._kinds[name], self._zone)
        except (Unfit, UnfitValue) as error:
            raise Unfit(f"column {name!r}: {error}") from None

    def _without_nan(self, row: Row) -> Row:
        """In a samples table of ours a number that is none stands as text, where the database has no NaN."""
        number = row.get("value_number")
        if self._has_nan or is_number(number):
            return row
        return {**row, "value_number": None, "value_text": written(number)}


def key_of(config: SqlSinkConfig, mapping: TableMapping, row: Row) -> Key | None:
    """What tells the row apart, before it is fitted to columns; None: it is none of the mapping's. Raises `UnfitValue`."""
    if mapping.record == "samples" and not mapping.takes(row, _maps(config)):
        return None
    told = _told(config, mapping, row)
    return tuple(_value(mapping, told, name) for name in mapping.key_columns)


def newest(changes: Sequence[Change]) -> list[Change]:
    """One change for each row: that of the greatest revision, of equal ones the later in the log. One that only changes what
    is there makes the row all the same if one before it would have."""
    kept: dict[Key, Change] = {}
    for change in changes:
        before = kept.get(change.key)
        if before is None or before.revision is None or change.revision is None or change.revision >= before.revision:
            kept.pop(change.key, None)
            made = before is not None and before.row is not None and not before.only_there
            kept[change.key] = change._replace(only_there=change.only_there and not made)
    return list(kept.values())


def size(change: Change) -> int:
    """Bytes that it has on its way, about: letters count for one."""
    values = change.key if change.row is None else change.row.values()
    return sum(len(value) if isinstance(value, str) else VALUE_SIZE for value in values)


def weight(change: Change) -> int:
    """Bytes of its texts."""
    values = change.key if change.row is None else change.row.values()
    return sum(len(value.encode()) for value in values if isinstance(value, str))


def _maps(config: SqlSinkConfig) -> SimpleNamespace:
    return SimpleNamespace(**config.maps)


def _told(config: SqlSinkConfig, mapping: TableMapping, row: Row) -> Row:
    return row if mapping.ours else {**plain(row), MAPS: _maps(config)}


def _value(mapping: TableMapping, told: Mapping[str, Any], name: str) -> Any:
    if mapping.ours:
        return told[name]
    value = fill(mapping.columns[name], told)
    return None if value is OMITTED else value
