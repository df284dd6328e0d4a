"""Screens come in by entry point: one of another package is served beside ours, and a broken one harms itself alone."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from schemas.records import Derived
from tests.unit.uns.web.test_board import T0, state
from uns.runtime.ports import free_port
from uns.web.feed import Feed
from uns.web.namespace import Namespace

TOY = """
from nicegui import ui
from uns.web.screen import ScreenSpec

class Count:
    applied = 0
    def apply(self, record):
        self.applied += 1

def build(context):
    label = ui.label(f"toy of {context.place or 'nothing'}")
    return lambda: label.set_text(f"toy of {context.place or 'nothing'}: {context.picture.applied} records")

spec = ScreenSpec("toys", "counts", 5, (), lambda plant: Count(), build)
"""
SERVE = """
import sys
from uns.web.feed import Feed
from uns.web.namespace import Namespace
from uns.web.page import serve
from uns.web.screen import registered

def nothing():
    raise RuntimeError("no broker in this test")

async def tell(path, fact):
    return None

screens = {name: (spec, spec.picture(None)) for name, spec in registered().items()}
serve(screens, Namespace(), Feed([], nothing, 1.0), tell, lambda: 0, "127.0.0.1", int(sys.argv[1]))
"""


def get(url: str, process: "subprocess.Popen[bytes]", timeout_s: float = 90) -> str:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder as pip would leave it: a package with a screen, and one whose screen cannot be imported."""
    (tmp_path / "toyscreen.py").write_text(TOY)
    (tmp_path / "brokenscreen.py").write_text("raise RuntimeError('broken as it is imported')")
    metadata = tmp_path / "toyscreen-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toyscreen\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[uns.screens]\ntoy = toyscreen:spec\nbroken = brokenscreen:spec\nword = brokenscreen:__doc__\n"
    )
    return tmp_path


def test_a_screen_of_another_package_is_served_beside_ours(packages: Path) -> None:
    port = free_port()
    script = packages / "serve.py"
    script.write_text(SERVE)
    own = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}  # NiceGUI asks for it
    environment = {**own, "PYTHONPATH": os.pathsep.join([str(packages), os.getcwd()])}
    process = subprocess.Popen([sys.executable, str(script), str(port)], env=environment, cwd=packages)
    try:
        toy = get(f"http://127.0.0.1:{port}/toy/acme/dallas", process)
        assert "toy of acme/dallas: 0 records" in toy
        assert "toy of nothing" in get(f"http://127.0.0.1:{port}/", process)  # the first in order
        line = get(f"http://127.0.0.1:{port}/line/acme/dallas/packaging/line-1", process)
        assert "lines" in line
        assert "toys" in line  # the navigation shows both
        assert "toy of" not in line
    finally:
        process.kill()
        process.wait()


def test_a_receiver_that_fails_on_a_record_harms_itself_alone() -> None:
    def broken(record: Derived) -> None:
        raise ValueError(record.id)

    def never() -> None:
        raise AssertionError

    namespace = Namespace()
    Feed([broken, namespace.apply], never, 1.0).take(state(T0, None))  # type: ignore[arg-type]
    assert namespace.applied == 1
    assert list(namespace.snapshots) == [state(T0, None).path]
