"""The tables of the target: those of the user are read and checked, ours are made and grow. Every call blocks."""

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    DateTime,
    Double,
    Inspector,
    MetaData,
    Table,
    Unicode,
    UnicodeText,
    inspect,
    text,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy.dialects import mysql, oracle
from sqlalchemy.schema import CreateColumn, CreateSchema
from sqlalchemy.types import TypeEngine

from sinks.base import Retryable
from sinks.kit.rows import Column, Kind, shapes
from sinks.sql.config import SqlSinkConfig, TableMapping
from sinks.sql.statements import Target
from topology.nearest import hint

log = structlog.get_logger()

KEY_LENGTH = {"natural_id": 400, "path": 255, "tag": 255, "id": 255, "alert": 400}
"""Letters of a text in a key, where a database must know them before."""
_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_0900_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_nopad_bin",
}
"""Of ours there: transactions, all letters, and two keys are one only if they are the same."""


def kind_of(column: Column, in_key: bool) -> TypeEngine[Any]:
    """The type of a column of ours."""
    match column.kind:
        case Kind.INTEGER:
            return BigInteger()
        case Kind.NUMBER:
            return Double().with_variant(oracle.BINARY_DOUBLE(), "oracle")
        case Kind.BOOLEAN:
            return Boolean()
        case Kind.TIME:
            moment = DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
            return moment.with_variant(oracle.TIMESTAMP(timezone=True), "oracle")
    if in_key:
        return Unicode(KEY_LENGTH[column.name]).with_variant(UnicodeText(), "postgresql", "sqlite")
    return UnicodeText().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def made(mapping: TableMapping) -> Table:
    """The table that is ours. Beside the key every column may be NULL, so that it can grow by those of a later release."""
    shape = shapes()[mapping.record]
    columns = [
        SqlColumn(
            column.name,
            kind_of(column, column.name in shape.key),
            primary_key=column.name in shape.key,
            nullable=column.name not in shape.key,
            autoincrement=False,
        )
        for column in shape.columns
    ]
    return _table(mapping.name, mapping.schema_name, columns)


def offsets(name: str) -> Table:
    """The table that holds how far sinks are."""
    schema, _, bare = name.rpartition(".")
    columns: list[SqlColumn[Any]] = [
        SqlColumn("sink", Unicode(120), primary_key=True),
        SqlColumn("topic", Unicode(255), primary_key=True),
        SqlColumn("part", BigInteger(), primary_key=True, autoincrement=False),
        SqlColumn("next_offset", BigInteger(), nullable=False),
    ]
    return _table(bare, schema or None, columns)


def _table(name: str, schema: str | None, columns: "Sequence[SqlColumn[Any]]") -> Table:
    return Table(name, MetaData(), *columns, schema=schema, **_OPTIONS)


def offsets_target(connection: Connection, name: str) -> Target:
    """Made where missing. An offset replaces a smaller one only."""
    table = offsets(name)
    _make(connection, inspect(connection), table)
    return Target(table, ("sink", "topic", "part", "next_offset"), ("sink", "topic", "part"), "next_offset", True)


def target(connection: Connection, config: SqlSinkConfig, mapping: TableMapping) -> Target:
    """The table of a mapping as the database has it, once it is there and complete. Raises `Retryable`."""
    look = inspect(connection)
    wanted = made(mapping) if mapping.ours else None
    if wanted is not None:
        _make(connection, look, wanted)
        look = inspect(connection)
    elif not look.has_table(mapping.name, mapping.schema_name):
        raise Retryable(
            f"database {config.url} has no table {mapping.called}; "
            f"{hint(mapping.name, look.get_table_names(mapping.schema_name))} Without `columns` it would be made by us"
        )
    found = there(connection, config, mapping)
    assert found is not None
    _check_engine(connection, mapping)
    return found


def there(connection: Connection, config: SqlSinkConfig, mapping: TableMapping) -> Target | None:
    """The table of a mapping as the database has it, without making anything; None where it has none. Raises `Retryable`
    where a column is missing."""
    look = inspect(connection)
    if not look.has_table(mapping.name, mapping.schema_name):
        return None
    table = Table(mapping.name, MetaData(), schema=mapping.schema_name, autoload_with=connection)
    _check_columns(config, mapping, table)
    names = tuple(mapping.columns) or shapes()[mapping.record].names
    key = mapping.key_columns
    return Target(table, names, key, mapping.revision_column, _is_unique(connection, look, table, key))


def _make(connection: Connection, look: Inspector, wanted: Table) -> None:
    schema = wanted.schema
    if schema and connection.dialect.name == "postgresql" and not look.has_schema(schema):
        connection.execute(CreateSchema(schema, if_not_exists=True))
    if not look.has_table(wanted.name, schema):
        wanted.create(connection)
        return
    there = {column["name"].lower() for column in look.get_columns(wanted.name, schema)}
    if not there.issuperset(name.lower() for name in wanted.primary_key.columns.keys()):  # noqa: SIM118
        raise Retryable(
            f"table {wanted.name} is there and was not made by us; give `columns` to write to it, or another name in `table`"
        )
    for column in wanted.columns:
        if column.name.lower() not in there:
            _grow(connection, wanted, column)


def _grow(connection: Connection, wanted: Table, column: "SqlColumn[Any]") -> None:
    dialect = connection.dialect
    add = "ADD" if dialect.name in ("mssql", "oracle") else "ADD COLUMN"
    definition = str(CreateColumn(column).compile(dialect=dialect))
    connection.execute(text(f"ALTER TABLE {dialect.identifier_preparer.format_table(wanted)} {add} {definition}"))
    log.info("table grows", table=wanted.name, column=column.name)


def _check_columns(config: SqlSinkConfig, mapping: TableMapping, table: Table) -> None:
    """Raises `Retryable`."""
    there = table.columns.keys()
    if missing := [name for name in (mapping.columns or there) if name not in there]:
        raise Retryable(
            f"table {mapping.called} of {config.url} has no column {missing[0]!r}; {hint(missing[0], sorted(there))}"
        )


def _check_engine(connection: Connection, mapping: TableMapping) -> None:
    if connection.dialect.name not in ("mysql", "mariadb"):
        return
    asked = text(
        "SELECT engine FROM information_schema.tables WHERE table_name = :name AND table_schema = COALESCE(:schema, DATABASE())"
    )
    engine = connection.execute(asked, {"name": mapping.name, "schema": mapping.schema_name}).scalar()
    if engine is not None and engine.lower() != "innodb":
        log.warning("table without transactions: a crash may leave a part of a batch, which is written again",
                    table=mapping.called, engine=engine)  # fmt: skip


def _is_unique(connection: Connection, look: Inspector, table: Table, key: Sequence[str]) -> bool:
    """Whether the key has an index that an upsert can rest on, and can meet no other row by.

    PostgreSQL and SQLite name the index. MariaDB and MySQL take any unique one, so the key's must be the only one; and
    must not take two spellings for one key.
    """
    found = [frozenset(columns) for columns in _unique(look, table)]
    if frozenset(key) not in found:
        return False
    if connection.dialect.name not in ("mysql", "mariadb"):
        return True
    return set(found) == {frozenset(key)} and all(name.endswith("_bin") for name in _collations(connection, table, key))


def _unique(look: Inspector, table: Table) -> Iterable[Sequence[str]]:
    name, schema = table.name, table.schema
    yield look.get_pk_constraint(name, schema)["constrained_columns"]
    for constraint in look.get_unique_constraints(name, schema):
        yield constraint["column_names"]
    for index in look.get_indexes(name, schema):
        options = index.get("dialect_options", {})
        partial = any(option.endswith("_where") and where is not None for option, where in options.items())
        columns = index["column_names"]
        if index["unique"] and not partial and None not in columns:
            yield [str(column) for column in columns]


def _collations(connection: Connection, table: Table, key: Sequence[str]) -> list[str]:
    asked = text(
        "SELECT column_name, collation_name FROM information_schema.columns"
        " WHERE table_name = :name AND table_schema = COALESCE(:schema, DATABASE()) AND collation_name IS NOT NULL"
    )
    found = connection.execute(asked, {"name": table.name, "schema": table.schema}).all()
    return [collation for column, collation in found if column in key]
