"""The whole spine, as `uns demo` runs it, with its parts killed on the way: everything arrives, once, and is true."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from uns.testing.patience import patient

pytestmark = pytest.mark.long

RUN_S, RATE = 60, 90
"""An hour and a half of plant time: one hour window lies inside it and closes."""


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("demo")
    file = folder / "summary.json"
    command = [
        sys.executable,
        "-m",
        "uns",
        "demo",
        "--for",
        f"{RUN_S}s",
        "--rate",
        str(RATE),
        "--seed",
        "5",
        "--chaos",
        "--summary",
        str(file),
    ]
    given = {name: value for name, value in os.environ.items() if not name.startswith(("UNS_", "PYTEST_"))}
    with (folder / "output").open("w") as output:
        subprocess.run(
            command,
            env={**given, "UNS_STATE_DIR": str(folder)},
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=RUN_S + patient(110),
            check=False,
        )
    assert file.exists(), (folder / "output").read_text()[-4000:]
    found = json.loads(file.read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.timeout(RUN_S + 120)
def test_it_says_itself_that_all_is_well(summary: dict[str, Any]) -> None:
    assert summary["problems"] == []
    assert summary["chaos"]["ended_by_itself"] == []
    assert summary["chaos"]["killed"] == [
        "processors",
        "rollups",
        "connector-dallas-opcua",
        "connector-leipzig-opcua",
        "connector-plant-mqtt",
    ]


def test_the_ledger_is_exact(summary: dict[str, Any]) -> None:
    ledger = summary["ledger"]
    assert ledger["lost"] == 0
    assert ledger["read"] == ledger["published"] + ledger["suppressed"] + ledger["quarantined"]
    assert ledger["read"] > 10_000


def test_every_class_is_derived_and_nothing_twice(summary: dict[str, Any]) -> None:
    assert all(
        summary["derived"][name] >= 1
        for name in ("state", "production", "downtime", "oee", "quality", "alert", "current", "kpi")
    )
    assert summary["derived_repeated"] == 0


@pytest.mark.parametrize("target", ["historian", "mes", "cmms"])
def test_each_target_has_everything_once(summary: dict[str, Any], target: str) -> None:
    assert summary[target]["expected"] > 0
    assert (summary[target]["missing"], summary[target]["duplicate"]) == (0, 0)


def test_the_numbers_are_true(summary: dict[str, Any]) -> None:
    truth = summary["truth"]
    assert (truth["good_count_error"], truth["scrap_count_error"]) == (0, 0)
    assert truth["breakdowns_found"] == truth["breakdowns_true"] == 1
    assert truth["drift_flagged"] is True
    assert truth["drift_alerted"] is True
    assert truth["silent_machine_unknown"] is True
    if summary["mqtt_persistent"]:
        assert truth["state_time_error_s_max"] <= summary["publish_interval_s"] * RATE
        assert truth["oee_windows"] >= 12
        assert truth["oee_error_max"] <= 0.005
