"""The bench does not rot: a tiny run of our engine against the bare loop, end to end on the test's broker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import smoke
from bench.figures import Figure, write
from uns.local.mqtt import find_mosquitto

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


def test_connectors_are_measured_and_written_down(kafka: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench.connectors", "--runs", "1", "--messages", "3000", "--seconds", "1"]
    done = subprocess.run(
        [*command, "--only", "sparkplug", "modbus", "mtconnect", "--json", str(file)],
        cwd=ROOT,
        env=os.environ | {"UNS_BOOTSTRAP": kafka},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(json.loads(file.read_text(encoding="utf-8"))) == 6


def test_sinks_are_measured_and_written_down(postgres: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench.sinks", "--runs", "1", "--samples", "20000", "--only", "historian"]
    done = subprocess.run(
        [*command, "--json", str(file)],
        cwd=ROOT,
        env=os.environ | {"UNS_POSTGRES": postgres},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {figure["name"]: figure for figure in json.loads(file.read_text(encoding="utf-8"))}
    assert "a double on disk, indexes included" in figures
    assert all(figure["value"] > 0 for figure in figures.values()), done.stdout


def test_our_engine_and_the_bare_loop_are_measured_and_written_down(kafka: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--runs", "1", "--records", "4000", "--only", "bare", "--json", str(file)],
        cwd=ROOT,
        env=os.environ | {"UNS_BOOTSTRAP": kafka},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {figure["name"]: figure for figure in json.loads(file.read_text(encoding="utf-8"))}
    assert set(figures) == {
        "our engine, 1 a record",
        "a bare loop without output, 1 a record",
        "ours against a bare loop without output, 1 a record",
        "ours against a bare loop without output, 1 a record, by CPU time",
    }
    assert all(set(figure) == {"name", "value", "low", "high", "unit", "reach", "holds"} for figure in figures.values())
    ratio = figures.pop("ours against a bare loop without output, 1 a record")
    assert all(figure["value"] > 0 and figure["holds"] is None for figure in figures.values()), done.stdout
    assert ratio["reach"] == 0.8
    assert ratio["holds"] is (ratio["value"] >= 0.8)
    runs = json.loads(file.with_name("bench-runs.json").read_text(encoding="utf-8"))
    assert runs["1 a record, ours"][0]["outputs"] == 4000
    assert runs["1 a record, bare"][0]["outputs"] == 4000


def test_a_figure_that_could_not_be_measured_does_not_hold(tmp_path: Path) -> None:
    file = tmp_path / "build" / "bench.json"
    write(
        [
            Figure("none", None, "ratio", 2.0, note="no network"),
            Figure("floor", 2.0, "ratio", 2.0),
            Figure("ceiling", 251.0, "ms", 250.0, at_most=True),
            Figure("not here", 1.1, "ratio", 1.7, judged=False),
        ],
        file,
    )
    assert {row["name"]: row["holds"] for row in json.loads(file.read_text(encoding="utf-8"))} == {
        "none": False,
        "floor": True,
        "ceiling": False,
        "not here": None,
    }


def test_the_short_run_of_ci_writes_its_figures_down_and_judges_results_alone(kafka: str) -> None:
    file = ROOT / "build" / "bench-smoke.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--smoke"],
        cwd=ROOT,
        env=os.environ | {"UNS_BOOTSTRAP": kafka},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "last release" in done.stdout
    written = {figure["name"] for figure in json.loads(file.read_text(encoding="utf-8"))}
    assert written >= {figure["name"] for figure in json.loads(smoke.RELEASED.read_text(encoding="utf-8"))}


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_a_small_plant_is_measured_and_what_came_out_is_what_was_said(tmp_path: Path) -> None:
    """On services of its own: MQTT, Kafka, PostgreSQL and registry."""
    file = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.plant", "--smoke", "--json", str(file)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("UNS_", "PYTEST_"))},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (trial,) = json.loads(file.read_text(encoding="utf-8"))["trials"]
    assert trial["problems"] == []
    assert trial["delays"]["state"]["records"] > 0
    assert all(
        trial["parts"][name]["us_sample"] > 0
        for name in ("connector-plc", "processors", "sink-historian", "page", "Kafka")
    )
    assert min(trial["bytes"].values()) > 0
