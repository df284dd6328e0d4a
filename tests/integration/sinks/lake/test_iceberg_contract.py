"""Iceberg is held to what every sink is held to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyiceberg.catalog import load_catalog

from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target


@dataclass
class Warehouse:
    """A folder, with its catalogue beside the tables."""

    config: dict[str, Any]
    refused = "a\ud800b"
    words = "surrogates"

    def content(self) -> Any:
        """All rows of all tables, and the positions that stand in their properties."""
        catalog = load_catalog("uns", type="sql", uri=self.config["catalog"])
        found: dict[str, Any] = {}
        for name in catalog.list_tables("uns"):
            table = catalog.load_table(name)
            found[name[-1]] = sorted(map(str, table.scan().to_arrow().to_pylist()))
        return found


@contextmanager
def warehouse(folder: Path) -> Iterator[Target]:
    config = {"url": str(folder), "format": "iceberg", "catalog": f"sqlite:///{folder}/catalog.db", "commit_s": 0}
    yield Warehouse(config)


def away(port: int) -> dict[str, Any]:
    return {
        "url": "s3://lake/uns",
        "format": "iceberg",
        "catalog": f"postgresql+psycopg://uns@127.0.0.1:{port}/iceberg?connect_timeout=2",
        "secrets": {"catalog_password": SECRET},
    }


TestIceberg = sink_contract("lake", lambda request: warehouse(request.getfixturevalue("tmp_path") / "lake"), away)
