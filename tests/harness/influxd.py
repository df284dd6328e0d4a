"""A real InfluxDB 1 from Debian, on a free port; it can be killed and started again over the same folder."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.harness.waiting import eventually
from uns.runtime.ports import HOST, free_port

BODY_MAX = 100_000
"""Bytes that it takes in one request: a longer one is a real refusal."""
_CONFIG = """
reporting-disabled = true
bind-address = "{host}:{control}"
[meta]
  dir = "{folder}/meta"
  logging-enabled = false
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
  {data}
[http]
  bind-address = "{host}:{port}"
  log-enabled = false
  max-body-size = {body_max}
  {http}
[monitor]
  store-enabled = false
"""


def find_influxd() -> str | None:
    return shutil.which("influxd")


class Influxd:
    """One server; `query` asks it in InfluxQL."""

    def __init__(self, folder: Path, data: str = "", http: str = "") -> None:
        """`data`, `http`: more lines of those parts of its configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"{'https' if 'https-enabled' in http else 'http'}://{HOST}:{self.port}"
        self._config, self._log = folder / "influxdb.conf", folder / "influxd.log"
        text = _CONFIG.format(host=HOST, control=free_port(), port=self.port, folder=folder, body_max=BODY_MAX, data=data, http=http)  # fmt: skip
        self._config.write_text(text, encoding="utf-8")

    def start(self) -> None:
        with self._log.open("ab") as log:
            program = find_influxd()
            assert program is not None
            self._process = subprocess.Popen([program, "-config", str(self._config)], stdout=log, stderr=log)
        eventually(self._answers, timeout_s=60, what="influxd")

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(encoding="utf-8")[-2000:]
        try:
            return httpx2.get(f"{self.url}/ping", timeout=2, verify=False).status_code == 204
        except httpx2.HTTPError:
            return False

    def query(self, text: str, database: str = "", **more: str) -> list[dict[str, Any]]:
        """Series of the first statement; times in µs."""
        asked = {"q": text, "db": database, "epoch": "u", **more}
        answer = httpx2.post(f"{self.url}/query", params=asked, timeout=30, verify=False)
        assert answer.status_code == 200, answer.text
        result = answer.json()["results"][0]
        assert "error" not in result, result
        found: list[dict[str, Any]] = result.get("series", [])
        return found

    def write(self, database: str, lines: str) -> None:
        """Not by a sink; times in µs."""
        asked = {"db": database, "precision": "u"}
        answer = httpx2.post(f"{self.url}/write", params=asked, content=lines.encode(), timeout=30)
        assert answer.status_code == 204, answer.text

    def points(self, database: str) -> dict[str, list[dict[str, Any]]]:
        """Measurement → its points with tags and fields by name, by series and time."""
        found: dict[str, list[dict[str, Any]]] = {}
        for series in self.query("SELECT * FROM /.*/ GROUP BY *", database):
            for values in series["values"]:
                named = {
                    name: value for name, value in zip(series["columns"], values, strict=True) if value is not None
                }
                tags = {name: value for name, value in series.get("tags", {}).items() if value}
                found.setdefault(series["name"], []).append({**tags, **named})
        return found

    def kill(self) -> None:
        """Without a word."""
        self._process.kill()
        self._process.wait()

    def pause(self, paused: bool) -> None:
        self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)


@contextmanager
def influxd(folder: Path, data: str = "", http: str = "") -> Iterator[Influxd]:
    if find_influxd() is None:
        pytest.skip("influxd is not installed (Debian: influxdb)")
    server = Influxd(folder, data, http)
    server.start()
    try:
        yield server
    finally:
        server.kill()
