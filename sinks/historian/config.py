"""Options of the historian."""

from pathlib import Path as FilePath
from typing import Annotated

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import BeforeValidator, Field, SecretStr, field_validator

from sinks.base import SinkConfig
from topology.endpoint import secret


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
    hypertables: bool = Field(True, description="make hypertables where the server has TimescaleDB")
    chunk_days: int = Field(7, ge=1, description="days in one chunk of a hypertable")
    connect_timeout_s: float = Field(10.0, gt=0, description="longest wait for the server")
    statement_timeout_s: float = Field(60.0, gt=0, description="longest wait for one statement")

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
