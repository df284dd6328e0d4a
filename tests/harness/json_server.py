"""A foreign REST system: json-server (npm), which keeps whatever objects it is given; it stands in for a CMMS."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.harness.waiting import eventually
from uns.runtime.ports import HOST, free_port
from uns.testing.patience import patient

PACKAGE = "json-server@0.17.4"
CACHE = Path.home() / ".cache" / "uns-tests" / PACKAGE.replace("@", "-")


@cache
def _installed() -> Path | None:
    """Its program, installed once for this user; None where npm is not there or brings nothing."""
    program = Path("node_modules/json-server/lib/cli/bin.js")
    if (CACHE / program).exists():
        return CACHE / program
    if shutil.which("npm") is None or shutil.which("node") is None:
        return None
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE.parent) as folder:
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, PACKAGE]
        if subprocess.run(command, capture_output=True, timeout=patient(120), check=False).returncode:
            return None
        if not CACHE.exists():
            Path(folder).rename(CACHE)
            Path(folder).mkdir()  # what is cleaned up
    return CACHE / program


class JsonServer:
    """Lists of objects by name, at `/NAME`; each gets a number as `id`."""

    def __init__(self, program: Path, folder: Path, lists: tuple[str, ...]) -> None:
        self._program, self._file, self.port = program, folder / "db.json", free_port()
        self._file.write_text(json.dumps({name: [] for name in lists}), encoding="utf-8")
        self._log = folder / "json-server.log"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        command = ["node", str(self._program), "--port", str(self.port), "--host", HOST, "--quiet", str(self._file)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(self._answers, what="json-server", timeout_s=60)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            return httpx2.get(f"{self.url}/db", timeout=5).is_success
        except httpx2.HTTPError:
            return False

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def all(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx2.get(f"{self.url}/{name}", timeout=patient(10)).json()
        return found

    def change(self, name: str, number: int, **fields: Any) -> None:
        httpx2.patch(f"{self.url}/{name}/{number}", json=fields, timeout=patient(10)).raise_for_status()

    def add(self, name: str, **fields: Any) -> None:
        httpx2.post(f"{self.url}/{name}", json=fields, timeout=patient(10)).raise_for_status()


@contextmanager
def json_server(folder: Path, *lists: str) -> Iterator[JsonServer]:
    program = _installed()
    if program is None:
        pytest.skip(f"{PACKAGE} cannot be installed (npm)")
    folder.mkdir(parents=True, exist_ok=True)
    server = JsonServer(program, folder, lists)
    server.start()
    try:
        yield server
    finally:
        server.stop()
