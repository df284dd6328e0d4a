"""Options of InfluxDB, and the endpoint that follows from them."""

from typing import Literal

from pydantic import Field, model_validator

from sinks.kit.http import HttpConfig


class InfluxdbConfig(HttpConfig):
    """One database (1, 3) or bucket (2). Version 1 knows a user and password, 2 and 3 a token."""

    version: Literal[1, 2, 3] = Field(2, description="InfluxDB's major version, which decides the endpoint")
    database: str | None = Field(None, min_length=1, description="database, of versions 1 and 3", examples=["plant"])
    retention_policy: str | None = Field(
        None,
        min_length=1,
        description="retention policy, of version 1; by default the database's own",
        examples=["year"],
    )
    org: str | None = Field(None, min_length=1, description="organization, of version 2", examples=["acme"])
    bucket: str | None = Field(None, min_length=1, description="bucket, of version 2", examples=["plant"])
    create: bool = Field(False, description="make the database where it is missing; of version 1 (3 does so by itself)")
    measurement_prefix: str = Field(
        "",
        pattern=r"^([A-Za-z][A-Za-z0-9_-]{0,40})?$",
        description="what the names of measurements begin with",
        examples=["uns_"],
    )
    lines_max: int = Field(5_000, ge=1, le=100_000, description="lines of one request")
    bytes_max: int = Field(2_000_000, ge=1_000, le=50_000_000, description="bytes of one request, before gzip")
    tries: int = Field(
        8, ge=1, description="so often a record is tried over which the target breaks while it takes others"
    )
    tries_s: float = Field(300.0, ge=0, description="and for so long at least; then to quarantine")

    @model_validator(mode="after")
    def _whole(self) -> "InfluxdbConfig":
        needed = ("org", "bucket") if self.version == 2 else ("database",)
        if missing := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f"version {self.version} needs {' and '.join(missing)}")
        other = ("database", "retention_policy") if self.version == 2 else ("org", "bucket")
        if strange := [name for name in other if getattr(self, name) is not None]:
            raise ValueError(f"version {self.version} knows no {strange[0]}; is it another version?")
        if self.version == 1 and self.has_token:
            raise ValueError("version 1 knows no token; give username and password_file")
        if self.version != 1 and (self.username is not None or self.create or self.retention_policy):
            raise ValueError(
                f"username, create and retention_policy are of version 1; version {self.version} takes a token"
            )
        return self

    @property
    def scheme(self) -> str:
        """The word before the token."""
        return "Token" if self.version == 2 else "Bearer"

    @property
    def endpoint(self) -> tuple[str, dict[str, str]]:
        """Path and query of a write; times are microseconds, which every record has."""
        if self.version == 1:
            policy = {"rp": self.retention_policy} if self.retention_policy else {}
            return "/write", {"db": self.database or "", **policy, "precision": "u"}
        if self.version == 2:
            return "/api/v2/write", {"org": self.org or "", "bucket": self.bucket or "", "precision": "us"}
        return "/api/v3/write_lp", {
            "db": self.database or "",
            "precision": "microsecond",
            "accept_partial": "true",
            "no_sync": "false",  # an answer is to mean durable
        }

    @property
    def reading(self) -> dict[str, str]:
        """Of /query: the database; of version 2 the bucket, which stands for one."""
        policy = {"rp": self.retention_policy} if self.retention_policy else {}
        return {"db": (self.bucket if self.version == 2 else self.database) or "", **policy}

    @property
    def place(self) -> str:
        """Where it writes, in a person's words."""
        return f"bucket {self.bucket!r} of {self.org!r}" if self.version == 2 else f"database {self.database!r}"
