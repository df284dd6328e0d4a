"""Options of the SQL sink."""

from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from sinks.base import SinkConfig
from sinks.kit.choice import Choice, Maps, checked_tables, checked_zone
from sinks.kit.rows import shapes
from topology.endpoint import Database
from topology.nearest import hint

NATURAL_ID = "{natural_id}"
REVISION = "{revision}"
WITHDRAWN = "withdrawn"
PREFIX = "uns_"
"""Begins the names of tables that are ours, so that none of the target's own is taken for one."""


class TableMapping(Choice):
    """Which records are rows of which table."""

    table: str = Field(
        "",
        description="the table, with its schema before a dot; by default `uns_` and the kind of record",
        examples=["mes.downtimes"],
        max_length=120,
    )
    columns: dict[str, Any] = Field(
        default_factory=dict,
        description="column → template, for a table of your own; none: the table is made by us, a typed column a field",
        examples=[{"id": "{natural_id}", "machine": "{path[4]}", "begin": "{started_at}"}],
    )
    key: tuple[str, ...] = Field(
        (),
        description="columns that tell rows apart; by default the one that is `{natural_id}`",
        examples=[["id"]],
    )
    revision: str | None = Field(
        None,
        description="column that holds the revision, by which an older one never overwrites a newer; by default the one that is `{revision}`",
        examples=["rev"],
    )
    on_withdrawn: Literal["delete", "mark"] = Field(
        "delete",
        description="what becomes of a row whose record was withdrawn, or does not fit `when` any more: deleted, or marked by a column that names `withdrawn`",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "TableMapping":
        if not self.columns:
            if self.key or self.revision:
                raise ValueError("key and revision are of a table of your own: give `columns`, too")
            return self
        for column, template in self.columns.items():
            if not column.strip():
                raise ValueError("columns: a column has no name")
            self.check_template(f"columns: {column}", template)
        for option, names in (("key", self.key), ("revision", (self.revision,) if self.revision else ())):
            if unknown := sorted(set(names) - set(self.columns)):
                raise ValueError(f"{option}: columns has no {unknown[0]}; {hint(unknown[0], sorted(self.columns))}")
        if not self.key_columns:
            raise ValueError("key is missing: which columns tell the rows apart, so that a correction finds its row?")
        if self.on_withdrawn == "mark" and not any(WITHDRAWN in str(part) for part in self.columns.values()):
            raise ValueError('on_withdrawn: mark needs a column that says so, e.g. deleted: "{withdrawn}"')
        return self

    @property
    def name(self) -> str:
        """Of the table, without its schema."""
        return self.table.rpartition(".")[2] or f"{PREFIX}{self.record}"

    @property
    def schema_name(self) -> str | None:
        return self.table.rpartition(".")[0] or None

    @property
    def called(self) -> str:
        """As messages call the table."""
        return self.table or self.name

    @property
    def ours(self) -> bool:
        """Whether we make the table."""
        return not self.columns

    @property
    def key_columns(self) -> tuple[str, ...]:
        if self.ours:
            return shapes()[self.record].key
        found = self.key or tuple(name for name, part in self.columns.items() if part == NATURAL_ID)
        if not found:
            by_template = {part: name for name, part in self.columns.items() if isinstance(part, str)}
            natural = [by_template.get(f"{{{name}}}") for name in shapes()[self.record].key]
            return tuple(name for name in natural if name is not None) if all(natural) else ()
        return found

    @property
    def revision_column(self) -> str | None:
        if self.ours:
            return "revision" if "revision" in shapes()[self.record].names else None
        return self.revision or next((name for name, part in self.columns.items() if part == REVISION), None)


class SqlSinkConfig(Database, SinkConfig):
    """One database, and which records are rows of which of its tables."""

    zone: str = Field(
        "UTC",
        description="zone of columns that hold times without one; those with one get the moment itself",
        examples=["Europe/Berlin"],
    )
    offsets_table: str | None = Field(
        "uns_sink_offset",
        description="table, made where missing, that holds how far the sink is, in the transaction of the rows; null: no right to make one",
        max_length=120,
    )
    maps: Maps = Field(
        default_factory=dict,
        description="tables for templates: {{ maps.reasons[reason] }}, {{ maps.reasons.get(reason, 'other') }}",
        examples=[{"reasons": {"jam": "R17", "drive": "R20"}}],
    )
    tables: tuple[TableMapping, ...] = Field(min_length=1, max_length=128, description="which records go where")

    @field_validator("zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return checked_zone(name)

    @field_validator("offsets_table")
    @classmethod
    def _named(cls, name: str | None) -> str | None:
        if name is not None and not name.strip(". "):
            raise ValueError("the table has no name; null keeps none")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> "SqlSinkConfig":
        ours = [mapping.called for mapping in self.tables if mapping.ours]
        if twice := sorted({name for name in ours if ours.count(name) > 1}):
            raise ValueError(f"tables: two would be made as {twice[0]!r}; give one of them another name in `table`")
        for mapping in self.tables:
            checked_tables(self.maps, [mapping.when, *mapping.columns.values()])
        return self

    @property
    def clock(self) -> ZoneInfo:
        return ZoneInfo(self.zone)
