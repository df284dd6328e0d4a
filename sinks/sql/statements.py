"""The statements that bring rows to a table, in SQLAlchemy's terms; its dialects write them. Pure.

Where the key has a unique index of its own, one statement inserts or, unless the row there has a greater revision,
replaces (`upsert`). Else the rows that are there are asked for, and locked, first: that works everywhere, and touches no
row that collides in another unique column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.dml import Insert

Key = tuple[Any, ...]
KEY = "uns_key_"
"""Begins the parameters that find a row; the others are called as their columns."""
OLD = "uns_revision"


@dataclass(frozen=True)
class Target:
    """A table, and what of it we write."""

    table: Table
    columns: tuple[str, ...]
    key: tuple[str, ...]
    revision: str | None
    unique: bool
    """The key has a unique index, and an upsert can collide with no other."""

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(name for name in self.columns if name not in self.key)


def upsert(target: Target, dialect: str) -> Insert | None:
    """Inserts, or replaces what is not newer; None where this database or table has no such statement."""
    if not target.unique:
        return None
    match dialect:
        case "postgresql":
            return _on_conflict(target, postgresql.insert(target.table))
        case "sqlite":
            return _on_conflict(target, sqlite.insert(target.table))
        case "mysql" | "mariadb":
            return _on_duplicate(target)
    return None


def _on_conflict(target: Target, new: Any) -> Insert:
    key = [target.table.c[name] for name in target.key]
    if not target.others:
        return new.on_conflict_do_nothing(index_elements=key)  # type: ignore[no-any-return]
    values = {target.table.c[name]: new.excluded[name] for name in target.others}
    newer = None
    if target.revision is not None:
        stored = target.table.c[target.revision]
        newer = or_(stored.is_(None), stored <= new.excluded[target.revision])
    return new.on_conflict_do_update(index_elements=key, set_=values, where=newer)  # type: ignore[no-any-return]


def _on_duplicate(target: Target) -> Insert:
    """Values are given one after the other there, so the revision that decides comes last."""
    new, table = mysql.insert(target.table), target.table
    revision = target.revision
    if revision is None:
        values = [(name, new.inserted[name]) for name in target.others or target.key[:1]]
        return new.on_duplicate_key_update(values)
    newer = or_(table.c[revision].is_(None), table.c[revision] <= new.inserted[revision])
    names = [*(name for name in target.others if name != revision), revision]
    return new.on_duplicate_key_update([(name, func.if_(newer, new.inserted[name], table.c[name])) for name in names])


def add(target: Target) -> Insert:
    """A row that is not there."""
    return insert(target.table).values({name: bindparam(name, type_=target.table.c[name].type) for name in target.columns})  # fmt: skip


def change(target: Target) -> Update:
    """A row that is there, unless it is newer."""
    values = {name: bindparam(name, type_=target.table.c[name].type) for name in target.others}
    return update(target.table).where(_row(target), *_not_newer(target)).values(values)


def remove(target: Target) -> Delete:
    """A row, unless it is newer."""
    return delete(target.table).where(_row(target), *_not_newer(target))


def there(target: Target, keys: Sequence[Key]) -> Select[Any]:
    """Keys, and revisions, of those rows that are there; locked until the transaction ends."""
    columns = [target.table.c[name] for name in target.key]
    shown = [*columns, target.table.c[target.revision]] if target.revision else columns
    chosen = select(*shown).where(one_of(target, keys)).with_for_update()
    return chosen.with_hint(target.table, "WITH (UPDLOCK, HOLDLOCK)", "mssql")


def one_of(target: Target, keys: Sequence[Key]) -> ColumnElement[bool]:
    """Whether a row has one of the keys."""
    columns = [target.table.c[name] for name in target.key]
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return or_(*(and_(*(column == part for column, part in zip(columns, key, strict=True))) for key in keys))


def found(target: Target, keys: Key) -> dict[str, Any]:
    """The parameters that find a row."""
    return {f"{KEY}{number}": part for number, part in enumerate(keys)}


def _row(target: Target) -> ColumnElement[bool]:
    columns = [target.table.c[name] for name in target.key]
    return and_(*(column == bindparam(f"{KEY}{number}", type_=column.type) for number, column in enumerate(columns)))


def _not_newer(target: Target) -> list[ColumnElement[bool]]:
    if target.revision is None:
        return []
    stored = target.table.c[target.revision]
    return [or_(stored.is_(None), stored <= bindparam(OLD, type_=stored.type))]
