"""The statements as each database would get them: also those that we cannot run here."""

import re
from typing import Any

import pytest
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.schema import CreateTable

from sinks.sql.config import SqlSinkConfig
from sinks.sql.statements import Target, add, change, remove, there, upsert
from sinks.sql.tables import made, offsets

DIALECTS: dict[str, Dialect] = {
    name: make_url(f"{name}://").get_dialect()() for name in ("postgresql", "mysql", "sqlite", "mssql", "oracle")
}


def target(record: str = "downtime", unique: bool = True, **more: Any) -> Target:
    config = SqlSinkConfig.model_validate({"url": "sqlite:////x.db", "tables": [{"record": record, **more}]})
    mapping = config.tables[0]
    table = made(mapping)
    return Target(table, tuple(table.columns.keys()), mapping.key_columns, mapping.revision_column, unique)


def told(statement: Any, dialect: str) -> str:
    return " ".join(str(statement.compile(dialect=DIALECTS[dialect])).split())


def test_one_statement_where_there_is_one() -> None:
    known = target()
    said = told(upsert(known, "postgresql"), "postgresql")
    assert "ON CONFLICT (natural_id) DO UPDATE SET id = excluded.id" in said
    assert said.endswith("WHERE uns_downtime.revision IS NULL OR uns_downtime.revision <= excluded.revision")
    assert told(upsert(known, "sqlite"), "sqlite").count("ON CONFLICT") == 1
    assert upsert(known, "mssql") is None
    assert upsert(known, "oracle") is None
    assert upsert(target(unique=False), "postgresql") is None


def test_where_values_are_given_one_after_the_other_the_revision_comes_last() -> None:
    said = told(upsert(target(), "mysql"), "mysql")
    given = re.findall(r"(\w+) = if\(", said)
    assert given[-1] == "revision"
    assert "natural_id" not in given


def test_rows_that_are_there_are_locked_and_never_older_overwritten() -> None:
    known = target(unique=False)
    assert told(there(known, [("a",), ("b",)]), "postgresql").endswith("FOR UPDATE")
    assert "WITH (UPDLOCK, HOLDLOCK)" in told(there(known, [("a",)]), "mssql")
    for dialect in DIALECTS:
        for statement in (change(known), remove(known)):
            assert re.search(r"revision\"?\]? IS NULL OR .*revision\"?\]? <= ", told(statement, dialect)), dialect
        assert told(add(known), dialect).startswith("INSERT INTO")
    assert " AND " in told(there(target("samples"), [("p", "t", None)]), "oracle")


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_tables_that_we_make(dialect: str) -> None:
    for record in ("samples", "oee", "kpi", "order", "acknowledge"):
        said = told(CreateTable(target(record).table), dialect)
        assert "PRIMARY KEY" in said
    assert "PRIMARY KEY (sink, topic, part)" in told(CreateTable(offsets("uns_sink_offset")), dialect)


def test_what_they_are_made_of() -> None:
    wanted = {
        "postgresql": ["started_at TIMESTAMP WITH TIME ZONE", "natural_id TEXT NOT NULL", "oee DOUBLE PRECISION"],
        "mysql": ["started_at DATETIME(6)", "natural_id VARCHAR(400) NOT NULL", "COLLATE utf8mb4_0900_bin"],
        "mssql": ["started_at DATETIMEOFFSET", "natural_id NVARCHAR(400) NOT NULL", "withdrawn BIT"],
        "oracle": [
            "started_at TIMESTAMP WITH TIME ZONE",
            "natural_id VARCHAR2(400 CHAR) NOT NULL",
            "oee BINARY_DOUBLE",
        ],
        "sqlite": ["started_at DATETIME", "natural_id TEXT NOT NULL"],
    }
    for dialect, parts in wanted.items():
        said = told(CreateTable(target("oee").table), dialect)
        assert [part for part in parts if part not in said] == [], said


def test_names_are_quoted_where_they_must_be() -> None:
    """Words of SQL, in every database."""
    for dialect, quoted in {"mysql": "`order`", "postgresql": '"order"', "mssql": "[order]"}.items():
        assert quoted in told(CreateTable(target("downtime").table), dialect)
