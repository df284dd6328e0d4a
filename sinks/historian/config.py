"""Options of the historian."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from sinks.base import SinkConfig
from topology.endpoint import secret
from topology.namespace.classes import MessageClass


class HistorianConfig(SinkConfig):
    """One database, one schema."""

    dsn: SecretStr = Field(
        description="PostgreSQL connection string; a password may come by password_file, passfile=… or PGPASSFILE",
        examples=["postgresql://uns@db:5432/uns"],
    )
    password_file: Annotated[FilePath | None, BeforeValidator(lambda given: given or None)] = Field(
        None,
        description="file with the password, which goes before all others; empty: none",
        examples=["/run/secrets/postgres"],
    )
    schema_name: str = Field(
        "uns", pattern=r"^[a-z_][a-z0-9_]{0,40}$", description="schema that holds the tables; made where missing"
    )
    partition_days: int = Field(7, ge=1, le=366, description="days in one partition of the samples")
    class_partition_days: int = Field(28, ge=1, le=3660, description="days in one partition of a derived class")
    retention_days: dict[MessageClass, int] = Field(
        {},
        description="class → days that its rows are kept (`raw`: the samples); a partition goes as a whole, once all of it "
        "is older; a class that is not named is kept for ever",
        examples=[{"raw": 400, "current": 30}],
    )
    readers: tuple[str, ...] = Field(
        (),
        description="roles of the database that may read the schema, and nothing more; they must be there",
        examples=[["grafana"]],
    )
    connect_timeout_s: float = Field(10.0, gt=0, description="longest wait for the server")
    statement_timeout_s: float = Field(60.0, gt=0, description="longest wait for one statement")

    @model_validator(mode="before")
    @classmethod
    def _of_older_releases(cls, given: Any) -> Any:
        """Options that went with the hypertables: partitions are PostgreSQL's own, and their width is what a chunk's was."""
        if isinstance(given, Mapping) and given.keys() & {"hypertables", "chunk_days"}:
            kept = {name: value for name, value in given.items() if name not in ("hypertables", "chunk_days")}
            return {"partition_days": given["chunk_days"], **kept} if "chunk_days" in given else kept
        return given

    @field_validator("retention_days")
    @classmethod
    def _kept_by_time(cls, days: dict[MessageClass, int]) -> dict[MessageClass, int]:
        for name, number in days.items():
            if name.internal:
                raise ValueError(f"{name} is not in the historian")
            if number < 1:
                raise ValueError(f"{name}: {number} days; at least 1")
        return days

    @field_validator("dsn")
    @classmethod
    def _given(cls, dsn: SecretStr) -> SecretStr:
        if not dsn.get_secret_value().strip():
            raise ValueError("the connection string is empty; e.g. postgresql://user@host:5432/database")
        try:
            conninfo_to_dict(dsn.get_secret_value())
        except ProgrammingError:  # its words repeat the string, password and all
            raise ValueError("no connection string; e.g. postgresql://user@host:5432/database") from None
        return dsn

    @property
    def password(self) -> str | None:
        """The file's password. Raises `OSError` when it cannot be read, `BadSecret` when it cannot be sent."""
        return secret(None, self.password_file)
