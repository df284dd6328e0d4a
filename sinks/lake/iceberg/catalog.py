"""The catalogue of an Iceberg lake: a SQL database or a REST service that says which state of a table is the one. Blocking."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    NoSuchNamespaceError,
    NoSuchTableError,
    RESTError,
)
from pyiceberg.table import Table
from sqlalchemy.exc import SQLAlchemyError

from sinks.base import Retryable
from sinks.lake.config import CATALOG_PASSWORD, LakeConfig
from sinks.lake.troubles import told

FAILURES = (SQLAlchemyError, OSError, RESTError, CommitFailedException, CommitStateUnknownException, pa.ArrowException)
"""What a catalogue or a store raises that does not do as it is told."""
PROPERTIES = {
    "format-version": "2",
    "commit.retry.num-retries": "0",  # one of ours that was slower than another's must not be laid on top of it
    "write.parquet.compression-codec": "zstd",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}


class Catalogue:
    """`hidden`: the secrets, never to be shown."""

    def __init__(self, name: str, config: LakeConfig, hidden: Mapping[str, str]) -> None:
        self._name, self._config, self.hidden = name, config, hidden
        self._catalog: Catalog | None = None

    def where(self, table: str) -> str:
        return f"{self._config.namespace}.{table}"

    def table(self, name: str) -> Table | None:
        """As it is now; None where there is none. Raises `FAILURES`."""
        catalog = self._opened(False)
        if catalog is None:
            return None
        try:
            return catalog.load_table((self._config.namespace, name))
        except (NoSuchTableError, NoSuchNamespaceError):
            return None

    def make(self, name: str, schema: pa.Schema, partitions: tuple[str, ...]) -> Table:
        """A new one; that which is there, where another was faster. Raises `FAILURES` and `Retryable`."""
        catalog = self._opened(True)
        assert catalog is not None
        catalog.create_namespace_if_not_exists(self._config.namespace)
        whole = (self._config.namespace, name)
        if not catalog.table_exists(whole):
            location = f"{self._config.location}/{name}"
            made = catalog.create_table_transaction(whole, schema, location=location, properties=PROPERTIES)
            with made, made.update_spec() as spec:
                for column in partitions:
                    spec.add_identity(column)
        return catalog.load_table(whole)

    def _opened(self, make: bool) -> Catalog | None:
        """None: there is no catalogue yet, and none is to be made."""
        if self._catalog is None:
            if (file := self._config.catalog_file) is not None and not file.exists():
                if not make:
                    return None
                self._make_folder(FilePath(self._config.url) if self._config.local else None)
            # A SQL catalogue has its name in each row, and readers need the same: the namespace, which they know.
            self._catalog = load_catalog(self._config.namespace, **self._properties())
        return self._catalog

    def _make_folder(self, folder: FilePath | None) -> None:
        """The lake's own, but not what is above: beside a disk that is not mounted nothing is to be written."""
        if folder is None:
            return
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise Retryable(f"the folder {folder} cannot be made: {error.strerror}; is its disk mounted?") from error

    def _properties(self) -> dict[str, Any]:
        config = self._config
        assert config.catalog is not None
        more = {**config.options, **{name: value for name, value in self.hidden.items() if name != CATALOG_PASSWORD}}
        address = config.catalog
        if (password := self.hidden.get(CATALOG_PASSWORD)) is not None:
            parts = urlsplit(address)
            user, _, host = parts.netloc.rpartition("@")
            address = urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))
        kind = "rest" if address.startswith(("http://", "https://")) else "sql"
        return {"type": kind, "uri": address, "warehouse": config.location, **more}

    def words(self, error: BaseException) -> str:
        return told(error, self.hidden)
