"""Screens come in by entry point: one of another package is served beside ours, and a broken one harms itself alone."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from websockets.sync.client import connect
from websockets.typing import Origin

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


def shown(port: int, screen: str, place: str) -> Any:
    """What the feed says that a screen shows at a place."""
    with connect(f"ws://127.0.0.1:{port}/live", origin=Origin(f"http://127.0.0.1:{port}")) as socket:
        socket.send(json.dumps({"slot": "main", "screen": screen, "place": place}))
        while True:
            slot, _, said = str(socket.recv(timeout=patient(20))).partition("\n")
            if slot == "main":
                return json.loads(said)["parts"]


def test_a_screen_of_another_package_is_served_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "brokenscreen.py").write_text("raise RuntimeError('broken as it is imported')", encoding="utf-8")
    entries = "[uns.screens]\ntoy = toy_screen:spec\nbroken = brokenscreen:spec\nword = toy_screen:__doc__\n"
    environ, port = install(tmp_path, "toy_screen", entries), free_port()
    process = subprocess.Popen([sys.executable, str(HERE / "served.py"), str(port)], env=environ, cwd=tmp_path)
    try:
        page = f"http://127.0.0.1:{port}"
        document = get(f"{page}/toy/acme/dallas", process)
        assert all(title in document for title in ("toys", "Line"))  # the navigation has both
        assert "export function draw" in get(f"{page}/screens/toy/screen.js", process)
        assert shown(port, "toy", "acme/dallas") == {"toy": {"place": "acme/dallas", "places": 1}}
        assert shown(port, "line", "acme/dallas/packaging/line-1").keys() >= {"line", "machines"}
        assert "&quot;screen&quot;: &quot;toy&quot;" in get(f"{page}/", process)  # the first in order
    finally:
        process.kill()
        process.wait()
