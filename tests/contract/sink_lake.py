"""A folder that the lake writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target


@dataclass
class Folder:
    config: dict[str, Any]
    refused = "a\ud800b"
    words = "surrogates"

    def content(self) -> Any:
        """All rows of all tables, and the positions that stand in the commits."""
        found: dict[str, Any] = {}
        for folder in sorted(Path(self.config["url"]).iterdir()):
            table = DeltaTable(folder)
            found[folder.name] = sorted(map(str, table.to_pyarrow_table().to_pylist()))
        return found


@contextmanager
def lake(folder: Path) -> Iterator[Target]:
    yield Folder({"url": str(folder), "commit_s": 0})


def away(port: int) -> dict[str, Any]:
    return {
        "url": "s3://lake/uns",
        "options": {
            "aws_endpoint_url": f"http://127.0.0.1:{port}",
            "aws_allow_http": "true",
            "aws_region": "eu-central-1",
            "aws_access_key_id": "uns",
        },
        "secrets": {"aws_secret_access_key": SECRET},
        "timeout_s": 2,
    }


CONTRACT = sink_contract("lake", lambda request: lake(request.getfixturevalue("tmp_path") / "lake"), away)
