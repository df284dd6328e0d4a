"""Options of a lake."""

import re
from pathlib import Path as FilePath
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from sinks.base import SinkConfig
from topology.endpoint import SecretText, address, secret

CATALOG_PASSWORD = "catalog_password"
STORES = ("s3", "s3a", "abfs", "abfss", "az", "adl", "gs")
_EXAMPLE = "/data/lake, s3://bucket/prefix, abfss://container@account.dfs.core.windows.net/prefix or gs://bucket/prefix"
_SECRET = re.compile(r"secret|token|password|passwd|credential|sas|access_?key|account_?key|private", re.IGNORECASE)
_PUBLIC = re.compile(r"access_?key_?id$|_file$|_path$|endpoint|_uri$|_url$", re.IGNORECASE)
"""Names of options of object stores that look like secrets and are none."""


class LakeConfig(SinkConfig):
    """One lake: a folder of tables."""

    url: str = Field(
        description="folder that holds the tables: an absolute path, or s3://, abfss://, gs:// … ; made where missing, but not what is above a local one",
        examples=["/data/lake", "s3://plant-lake/uns"],
    )
    format: Literal["delta", "iceberg"] = Field(
        "delta", description="of the tables: Delta Lake (extra `lake`), or Iceberg by a catalogue (extra `iceberg`)"
    )
    catalog: str | None = Field(
        None,
        description="of Iceberg: sqlite:////FILE, postgresql+psycopg://user@host/db or another address of SQLAlchemy's, or http(s):// of a REST catalogue",
        examples=["sqlite:////data/lake/catalog.db", "postgresql+psycopg://uns@db.example.com/iceberg"],
    )
    namespace: str = Field(
        "uns",
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,60}$",
        description="of Iceberg: of the tables, and of the catalogue where that needs a name",
    )
    options: dict[str, str] = Field(
        default_factory=dict,
        description="what the object store needs to be reached, by the names of deltalake's storage options, or pyiceberg's properties; nothing secret",
        examples=[{"aws_region": "eu-central-1", "aws_access_key_id": "AKIA…"}],
    )
    secrets: dict[str, SecretText] = Field(
        default_factory=dict,
        description="likewise, secrets; prefer the files. `catalog_password`: of the user in `catalog`",
        examples=[{"aws_secret_access_key": "${LAKE_SECRET}"}],
    )
    secret_files: dict[str, FilePath] = Field(
        default_factory=dict,
        description="likewise, from files, which are read at each opening",
        examples=[{"aws_secret_access_key": "/run/secrets/lake"}],
    )
    commit_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description="rows are gathered so long before they are committed and can be read; 0: each call commits, which makes many small files",
    )
    commit_mb: int = Field(
        64, ge=1, le=2048, description="and are committed earlier when they are so large, in memory as Arrow (MB)"
    )
    file_mb: int = Field(
        128, ge=1, le=4096, description="size of a file that compaction aims at, on a day that is over (MB)"
    )
    compact: bool = Field(True, description="merge small files into large ones; readers are not disturbed")
    z_order: bool = Field(
        False,
        description="sort days that are over by path, tag and time as they are compacted: reading one tag then reads little; takes memory for a day of a site",
    )
    keep_h: int | None = Field(
        168,
        ge=1,
        description="files that compaction has replaced, and what a crash left, are deleted after so long: the longest that a reader may take; none: never (h)",
    )
    timeout_s: float = Field(30.0, gt=0, description="longest wait for one answer of an object store")

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        text = text.removeprefix("file://") if text.startswith("file:///") else text
        if text.startswith("/"):
            if any(not letter.isprintable() for letter in text):
                raise ValueError("a path holds no control characters")
        elif "://" not in text:
            raise ValueError(f"{text!r} is no absolute path and no address; {_EXAMPLE} is expected")
        else:
            address(text, STORES, _EXAMPLE, instead="secret_files")
        return text.rstrip("/") or "/"

    @field_validator("options")
    @classmethod
    def _public(cls, options: dict[str, str]) -> dict[str, str]:
        for name in options:
            if _SECRET.search(name) and not _PUBLIC.search(name):
                raise ValueError(f"options: {name} is a secret: put it into a file, and the file into secret_files")
        return options

    @model_validator(mode="after")
    def _once(self) -> "LakeConfig":
        names = [*self.options, *self.secrets, *self.secret_files]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]} is given twice, in options, secrets or secret_files")
        if self.format == "iceberg":
            return self._checked_catalog(names)
        if self.catalog is not None:
            raise ValueError("catalog is for `format: iceberg`; Delta Lake needs none")
        if names and self.local:
            raise ValueError("options, secrets and secret_files are for object stores; a folder needs none")
        return self

    def _checked_catalog(self, names: list[str]) -> "LakeConfig":
        if self.catalog is None:
            raise ValueError("`format: iceberg` needs a catalog, e.g. sqlite:////data/lake/catalog.db")
        parts = urlsplit(self.catalog)
        if not parts.scheme or not (parts.netloc or parts.path):
            raise ValueError("catalog is no address: sqlite:////FILE, postgresql+psycopg://user@host/db or https://host is expected")  # fmt: skip
        if parts.password is not None:
            raise ValueError(f"catalog holds a password: put it into a file, and the file into secret_files as {CATALOG_PASSWORD}")  # fmt: skip
        if CATALOG_PASSWORD in names and parts.username is None:
            raise ValueError(f"{CATALOG_PASSWORD} needs a user in catalog")
        if self.z_order:
            raise ValueError("z_order is for Delta Lake")
        return self

    @property
    def local(self) -> bool:
        return self.url.startswith("/")

    @property
    def location(self) -> str:
        """Of the tables, as Iceberg names it."""
        return f"file://{self.url}" if self.local else self.url

    @property
    def catalog_file(self) -> FilePath | None:
        """Of a catalogue that is a file of SQLite."""
        found = re.match(r"sqlite(?:\+\w+)?:///(/.+)", self.catalog or "")
        return None if found is None else FilePath(found[1])

    def hidden(self) -> dict[str, str]:
        """The secrets. Raises `OSError` when a file cannot be read, `BadSecret` when it cannot be sent."""
        found = {name: secret(given, None) or "" for name, given in self.secrets.items()}
        return found | {name: secret(None, file) or "" for name, file in self.secret_files.items()}
