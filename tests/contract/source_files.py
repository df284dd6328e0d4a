"""A machine that writes a log of CSV into a folder."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path as FilePath
from typing import Any

from connectors.opcua.codec import moment
from tests.contract.sources import ALSO, PATH


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
            "state_file": str(folder / "state" / "files.db"),
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

    async def babble(self) -> None:
        """No UTF-8, no time, too many cells, a quote that is not closed."""
        self._write(b"\xff\xfe;State;1\nyesterday;State;1\n1;2;3;4\n")

    async def vanish(self) -> None:
        shutil.rmtree(self._folder)


@asynccontextmanager
async def files(folder: FilePath) -> AsyncIterator[FilesSource]:
    yield FilesSource(folder)
