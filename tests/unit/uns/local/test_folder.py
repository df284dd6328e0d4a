"""A data folder in use: a second run is refused before anything else, and nobody is told how to delete it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from uns.local import ports
from uns.local.folder import farewell, in_use
from uns.local.ports import usual_port
from uns.runtime.lock import FolderLock
from uns.runtime.ports import free_port


@pytest.mark.parametrize(
    "place", [".", "embedded/kafka", "demo/20261128-120000", "demo/20261128-120000/embedded/kafka"]
)
def test_a_folder_is_in_use_while_anything_in_it_is(tmp_path: Path, place: str) -> None:
    assert not in_use(tmp_path)
    lock = FolderLock(tmp_path / place)
    assert in_use(tmp_path)
    assert "rm -r" not in farewell(tmp_path, "uns up")
    lock.release()
    assert not in_use(tmp_path)
    assert f"rm -r {tmp_path}" in farewell(tmp_path, "uns up")


@pytest.mark.parametrize("words", [("up", "--plant", "no-such-plant"), ("demo", "--folder", "STATE", "--for", "20s")])
def test_a_second_run_in_a_folder_is_refused_before_all_else(tmp_path: Path, words: tuple[str, ...]) -> None:
    lock = FolderLock(tmp_path)
    environ = {**os.environ, "UNS_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "uns", *(str(tmp_path) if word == "STATE" else word for word in words)]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    lock.release()
    assert done.returncode == 1
    assert f"{tmp_path} is in use" in done.stderr
    assert "rm -r" not in done.stdout + done.stderr
    assert done.stdout == ""


def test_a_plant_that_is_not_there_starts_nothing_and_leaves_nothing_to_delete(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uns", "up", "--plant", "/nowhere"]
    environ = {**os.environ, "UNS_STATE_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "/nowhere" in done.stderr
    assert "rm -r" not in done.stdout + done.stderr


def test_the_usual_port_or_another_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    port = free_port()
    monkeypatch.setitem(ports.USUAL, "page", port)
    monkeypatch.setattr(ports, "_reserved", [])
    assert usual_port("page", said.append) == port
    assert said == []
    other = usual_port("page", said.append)  # the first is not listening yet, and is taken nevertheless
    assert other != port
    assert str(port) in said[0]
    assert str(other) in said[0]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setitem(ports.USUAL, "kafka", taken.getsockname()[1])
        third = usual_port("kafka", said.append)
    assert f"(pid {os.getpid()})" in said[1]
    assert str(third) in said[1]
