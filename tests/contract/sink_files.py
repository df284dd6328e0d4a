"""A folder that the files sink writes to, in all its forms."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from uns.testing import sink_contract
from uns.testing.sinks import Target


class Folder:
    refused = "a\ud800b"
    words = "surrogate"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        forms = ("csv", "jsonl", "parquet")
        files = [
            {"record": "downtime", "format": form, "rows_max": 4, "name": "{site}/{record}-{day}"} for form in forms
        ]
        self.config: dict[str, Any] = {"folder": str(folder), "files": files}

    def content(self) -> Any:
        return {form: sorted(map(str, rows(self.folder, form))) for form in ("csv", "jsonl", "parquet")}


def rows(folder: Path, form: str) -> Iterator[dict[str, Any]]:
    """Of complete files and of those that grow, by the libraries that everybody has."""
    for file in sorted((*folder.rglob(f"*.{form}"), *folder.rglob(f"*.{form}.part"))):
        match form:
            case "csv":
                with file.open(encoding="utf-8", newline="") as lines:
                    yield from csv.DictReader(lines, strict=True)
            case "jsonl":
                for line in file.read_text(encoding="utf-8").removesuffix("\n").split("\n"):
                    yield json.loads(line)
            case _ if file.suffix == ".part":
                yield from pa.ipc.open_stream(file.read_bytes()).read_all().to_pylist()
            case _:
                yield from pq.read_table(file).to_pylist()


@contextmanager
def target(folder: Path) -> Iterator[Target]:
    yield Folder(folder)


def away(port: int) -> dict[str, Any]:
    return {"folder": f"/no/such/folder/{port}", "files": [{"record": "downtime"}]}


CONTRACT = sink_contract("files", lambda request: target(request.getfixturevalue("tmp_path") / "export"), away)
