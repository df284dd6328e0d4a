"""The page as a process: it answers, and ends in order when it is told to."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.harness import eventually
from tests.harness.registries import register_all
from uns.runtime.ports import free_port


def test_it_ends_in_order_when_it_is_told_to(kafka: str, registry: str, tmp_path: Path) -> None:
    register_all(registry, tmp_path / "schemas")
    port, log = free_port(), tmp_path / "log"
    environ = os.environ | {
        "UNS_BOOTSTRAP": kafka,
        "UNS_REGISTRY": registry,
        "UNS_STATE_DIR": str(tmp_path),
        "UNS_METRICS_PORT": str(free_port()),
    }
    command = [sys.executable, "-m", "uns", "run", "page", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx2.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False

    try:
        eventually(answers, 60, "the page")
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
