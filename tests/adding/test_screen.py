"""Screens come in by entry point: one of another package is served beside ours, and a broken one harms itself alone."""

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.adding.installed import HERE, install
from uns.runtime.ports import free_port
from uns.testing.patience import patient


def get(url: str, process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + patient(60)
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_a_screen_of_another_package_is_served_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "brokenscreen.py").write_text("raise RuntimeError('broken as it is imported')", encoding="utf-8")
    entries = "[uns.screens]\ntoy = toy_screen:spec\nbroken = brokenscreen:spec\nword = toy_screen:__doc__\n"
    environ, port = install(tmp_path, "toy_screen", entries), free_port()
    process = subprocess.Popen([sys.executable, str(HERE / "served.py"), str(port)], env=environ, cwd=tmp_path)
    try:
        toy = get(f"http://127.0.0.1:{port}/toy/acme/dallas", process)
        assert "toy of acme/dallas: 1 places" in toy
        assert "toy of nothing" in get(f"http://127.0.0.1:{port}/", process)  # the first in order
        line = get(f"http://127.0.0.1:{port}/line/acme/dallas/packaging/line-1", process)
        assert "lines" in line
        assert "toys" in line  # the navigation shows both
        assert "toy of" not in line
    finally:
        process.kill()
        process.wait()
