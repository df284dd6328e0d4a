"""docs/adding.md is true: a toy one of each kind, of as many files as the page says, is installed beside us and works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from schemas.records import Kpi
from tests.harness.fold_files import samples, text
from uns.history.file.fold import fold
from uns.history.file.read import read
from uns.model.plant import load_plant
from uns.testing.patience import patient

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
GROUPS = {"connector": "uns.connectors", "sink": "uns.sinks"}


def files(kind: str) -> list[str]:
    return sorted(file.name for file in (HERE / f"toy_{kind}").iterdir() if file.is_file())


@pytest.mark.parametrize("kind", ["connector", "sink", "kpi"])
def test_the_page_names_each_file_and_how_many_there_are(kind: str) -> None:
    row = re.search(rf"^\| an? (?:\w+ )*{kind} \| (\d+)(?: \+ 1 line)? \| (.*?) \|", PAGE, re.MULTILINE | re.IGNORECASE)
    assert row is not None, f"docs/adding.md has no row for a {kind}"
    assert int(row[1]) == len(files(kind))
    assert sorted(re.findall(r"`([\w.]+)`", row[2])) == files(kind)


@pytest.mark.parametrize("kind", GROUPS)
def test_a_component_of_a_third_party_is_found_and_keeps_the_contract(kind: str, tmp_path: Path) -> None:
    """Installed as pip would leave it: the package, and a folder with its entry points."""
    package = tmp_path / f"toy_{kind}"
    shutil.copytree(HERE / f"toy_{kind}", package, ignore=shutil.ignore_patterns("__pycache__"))
    info = tmp_path / f"toy_{kind}-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toy-{kind}\nVersion: 0.1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{GROUPS[kind]}]\ntoy = toy_{kind}:spec\n", encoding="utf-8")
    environ = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
    ]
    done = subprocess.run(
        [*command, str(package / "test_contract.py")],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=patient(150),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 10


def test_a_kpi_of_a_plant_is_computed(tmp_path: Path) -> None:
    plant = {
        "namespace": {
            "enterprise": "acme",
            "sites": {"dallas": {"areas": {"packaging": {"lines": {"line-1": {"cells": {"filler": "filler"}}}}}}},
        },
        "types": {
            "filler": {
                "tags": {
                    "State": {"role": "state", "map": {"RUN": "execute"}},
                    "Good": {"role": "good_count"},
                },
                "ideal_cycle_s": 1.0,
                "silent_after_s": None,
            }
        },
    }
    (tmp_path / "plant.yaml").write_text(yaml.safe_dump(plant), encoding="utf-8")
    for file in files("kpi"):
        shutil.copy(HERE / "toy_kpi" / file, tmp_path)
    told = text(samples("06:00:00", State="RUN", Good=0), samples("06:30:00", Good=600), samples("07:00:00", Good=1200))
    folded = fold(load_plant(tmp_path), read(told))
    hours = [record for record in folded.records if isinstance(record, Kpi) and record.window == "hour"]
    assert 1200.0 in {record.values["toy_speed"] for record in hours}
