"""Which plant a command means: the one named, else the environment's, else that of what runs here, else ./plant."""

import json
import sys
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from tests.unit.uns.cli import test_plant
from tests.unit.uns.cli.test_plant import PLANT, Uns
from uns.runtime.running import announce

LINE = "acme/dallas/packaging/line-1"
CALENDAR = """
shifts:
  all: {filter: "acme/#", zone: UTC, shifts: {early: {begin: "06:00", end: "14:00"}}}
"""
COMMANDS = (
    ("lint",),
    ("connector", "list"),
    ("sink", "list"),
    ("shifts", LINE),
    ("kpi", "list"),
    ("kpi", "lint"),
    ("kpi", "diff", "iso22400", "nakajima", "acme/#", "--file", "LOG", "--to", "2026-11-24T00:00:00Z"),
    ("run", "connector", "nobody", "--dry-run"),
)


uns = test_plant.uns
"""The fixture."""


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plant of a demo that runs here, and nothing in the environment but its state folder."""
    for name in ("UNS_BOOTSTRAP", "UNS_PLANT", "UNS_CLOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.jsonl").write_text("")
    folder = tmp_path / "running"
    folder.mkdir()
    (folder / "plant.yaml").write_text(PLANT + CALENDAR)
    state = tmp_path / "state"
    announce(state, {"UNS_BOOTSTRAP": "127.0.0.1:1", "UNS_PLANT": str(folder), "UNS_STATE_DIR": str(state)})
    monkeypatch.setenv("UNS_STATE_DIR", str(state))
    return folder


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_finds_the_plant_of_what_runs_here(uns: Uns, running: Path, words: tuple[str, ...]) -> None:
    words = tuple("log.jsonl" if word == "LOG" else word for word in words)
    code, out, err = uns(*words)
    assert "no plant model" not in out + err
    (running / "plant.yaml").unlink()
    code, out, err = uns(*words)
    if words[:2] != ("kpi", "list"):
        assert code == 1
    assert str(running) in out + err


def test_the_environment_and_the_flag_come_first(
    uns: Uns, running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "plant.yaml").write_text(PLANT.replace("sinks:\n", "sinks: {}\nignored:\n").partition("ignored:")[0])
    monkeypatch.setenv("UNS_PLANT", str(other))
    assert json.loads(uns("sink", "list", "--json")[1])["sinks"] == {}
    assert list(json.loads(uns("sink", "list", "--plant", running, "--json")[1])["sinks"]) == ["historian"]
    with as_file(files("uns.demo") / "plant_model") as demo:
        assert "12 machines" in uns("lint", demo)[1]
    assert sys.argv[0] == "uns"
