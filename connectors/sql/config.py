"""Options of the SQL connector."""

from datetime import datetime

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.row_shape import RowShape
from topology.endpoint import Database
from topology.namespace.path import Path


class Query(RowShape):
    """Rows that are read in the order of a watermark: a column that grows with every row that is new or changed."""

    name: str = Field(
        min_length=1,
        max_length=60,
        description="names the query, also where its place is kept: under another name it is read from the beginning",
        examples=["orders"],
    )
    table: str | None = Field(
        None, description="a table or view, with its schema before a dot", examples=["mes.orders"]
    )
    query: str | None = Field(
        None,
        description="instead of `table`, a SELECT without ORDER BY; it must give the columns that other options name",
        examples=["SELECT o.*, m.line FROM orders o JOIN machines m ON m.id = o.machine_id"],
    )
    watermark: str = Field(
        description="column with a number or time that is greater in each row that is new or changed",
        examples=["updated_at", "id"],
    )
    key: tuple[str, ...] = Field(
        min_length=1,
        description="columns, never NULL, that tell rows of the same watermark apart: the primary key",
        examples=[["order_id"]],
    )
    start: int | datetime | str | None = Field(
        None,
        description="watermark after which the first reading ever begins; None: with the first row",
        examples=[1_000_000, "2026-01-01 00:00:00"],
    )
    overlap_s: float = Field(
        60.0,
        ge=0,
        le=864_000,
        description="how long before the newest watermark, where it is a time, is read again for rows committed late; 0: not",
    )
    overlap_numbers: int = Field(
        100, ge=0, description="how many before the newest watermark, where it is a number, likewise; 0: not"
    )
    every_s: float = Field(10.0, gt=0, le=86_400, description="how often it is asked")
    rows_max: int = Field(1_000, ge=1, le=100_000, description="rows of one request; there are as many as it takes")

    @field_validator("query")
    @classmethod
    def _select(cls, text: str | None) -> str | None:
        if text is not None:
            text = text.strip().removesuffix(";").strip()
            if text.split(None, 1)[0:1] and text.split(None, 1)[0].upper() not in ("SELECT", "WITH"):
                raise ValueError("a query begins with SELECT or WITH")
        return text

    @model_validator(mode="after")
    def _one(self) -> "Query":
        if bool(self.table) == bool(self.query):
            raise ValueError(f"{self.name}: one of `table` and `query` is needed")
        return self


class SqlConfig(Database, ConnectorConfig):
    """One database, and what is asked of it."""

    queries: tuple[Query, ...] = Field(min_length=1, max_length=64, description="what is read")

    @model_validator(mode="after")
    def _names(self) -> "SqlConfig":
        names = [query.name for query in self.queries]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two queries are called {', '.join(sorted(twice))}: their places would be one")
        return self

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(path for query in self.queries for path in query.literal_paths())
