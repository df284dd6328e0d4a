"""A machine that writes a log of CSV into a folder."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path as FilePath
from typing import Any

from hypothesis import strategies as st

from connectors.base import Said
from connectors.files.codec import BadHeader, TextDecoder
from connectors.files.config import FileSet
from connectors.files.lines import records
from connectors.opcua.codec import moment
from tests.contract.payloads import PAYLOADS
from tests.contract.sources import ALSO, PATH
from uns.testing import Codec, connector_contract


class FilesSource:
    path = PATH
    also = ALSO
    asks_again = True  # a file keeps what was written

    def __init__(self, folder: FilePath) -> None:
        self._folder = folder / "logs"
        self._folder.mkdir()
        self._file = self._folder / "filler.csv"
        self._file.write_text("at;tag;value\n", encoding="utf-8")
        self.config: dict[str, Any] = {
            "folder": str(self._folder),
            "poll_s": 0.02,
            "files": [
                {
                    "pattern": "*.csv",
                    "row": "long",
                    "path": str(PATH),
                    "at": "at",
                    "tag": "{tag}",
                    "value": "value",
                    "delimiter": ";",
                }
            ],
        }

    def _write(self, line: bytes) -> None:
        with self._file.open("ab") as file:
            file.write(line)

    async def say(self, tag: str, at: int, value: object) -> None:
        text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
        self._write(f"{moment(at).isoformat()};{tag};{text}\n".encode())

    def rotate(self, number: int) -> None:
        """The log gets another name, and a new one begins."""
        self._file.rename(self._folder / f"filler.{number}.csv")
        self._file.write_text("at;tag;value\n", encoding="utf-8")

    async def babble(self) -> None:
        """No UTF-8, no time, too many cells, a quote that is not closed."""
        self._write(b"\xff\xfe;State;1\nyesterday;State;1\n1;2;3;4\n")

    async def vanish(self) -> None:
        shutil.rmtree(self._folder)


@asynccontextmanager
async def files(folder: FilePath) -> AsyncIterator[FilesSource]:
    yield FilesSource(folder)


def _said(content: tuple[str, bytes]) -> list[Said]:
    format_, data = content
    shape = {"pattern": "*", "format": format_, "path": "acme/dallas/{line}", "levels": "spelled", "at": "at"}
    decoder = TextDecoder(FileSet.model_validate({**shape, "quality": "quality"}), "folder/file.csv")
    try:
        begun = decoder.begin(data, last=True)
    except BadHeader:
        return []
    found = records(data[begun[0] :], decoder.text, last=True) if begun else ()
    return [thing for record in found for thing in decoder.said(record, 1)]


CELLS = st.sampled_from(["1", "-1,5", "1e3", "x", "", "2026-11-23T06:00:00Z", '"', '"a,b"', "good", "12", "\n", "\0"])
TABLES = st.lists(st.lists(CELLS, min_size=3, max_size=5), max_size=5).map(
    lambda rows: b"line,at,quality,State,Speed\n" + "\n".join(",".join(row) for row in rows).encode()
)
CONTRACT = connector_contract(
    "files",
    lambda request: files(request.getfixturevalue("tmp_path")),
    Codec(st.tuples(st.sampled_from(["csv", "json_lines"]), TABLES | PAYLOADS), _said),
    lambda port: {"folder": f"/no/such/folder/{port}"},
)
