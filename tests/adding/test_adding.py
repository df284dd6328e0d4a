"""docs/adding.md is true: a toy one of each kind, of the very files that the page names, is put beside us and works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from schemas.records import Kpi
from tests.adding.installed import HERE, ROOT, environment, install
from tests.harness.fold_files import samples, text
from uns.history.file.fold import fold
from uns.history.file.read import read
from uns.model.plant import load_plant
from uns.testing.patience import patient

PAGE = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
PACKAGES = ("schemas", "topology", "connectors", "processors", "sinks", "uns")
CHANGES = "changes.diff"
"""Beside the new files of a thing that stands among ours: what changes in the files that are there."""
GROUPS = {"connector": "uns.connectors", "sink": "uns.sinks", "screen": "uns.screens"}
"""What a package of its own may bring → the entry points that tell of it."""
INSIDE = {
    "derived class": [
        "tests/unit/processors/derive/test_toy.py",
        "tests/unit/schemas/test_catalog.py",
        "tests/unit/schemas/test_compatibility.py",
        "tests/unit/topology/test_cluster.py",
    ],
    "command": ["tests/unit/uns/cli/test_toy.py", "tests/unit/uns/cli/test_startup.py"],
    "plant-model option": ["tests/unit/processors/derive/test_toy_option.py"],
}
"""What stands among ours → its tests, and those of ours that hold every one of its kind to something."""
WRITTEN: dict[str, dict[str, str]] = {
    "derived class": {
        "records.md": "| `starts` | long |",
        "reference/plant.md": " or `toy` or ",
        "reference/sinks/historian.md": "`toy`",  # how long it is kept there
    },
    "command": {},
    "plant-model option": {"reference/plant.md": "| `slowest_cycle_s` | number, > 0 | none |"},
}
"""Pages that `uns docs` then writes anew, and what is new on them."""


def toy(kind: str) -> Path:
    return HERE / f"toy_{re.sub('[ -]', '_', kind.lower())}"


def new_files(kind: str) -> list[str]:
    files = (file for file in toy(kind).rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return sorted(str(file.relative_to(toy(kind))) for file in files if file.name != CHANGES)


def changed_files(kind: str) -> list[str]:
    if kind in INSIDE:
        return re.findall(r"^\+\+\+ b/(.*)$", (toy(kind) / CHANGES).read_text(encoding="utf-8"), re.MULTILINE)
    return ["pyproject.toml"] if kind in GROUPS else []


@pytest.mark.parametrize("kind", [*GROUPS, *INSIDE, "KPI"])
def test_the_page_names_each_file_and_how_many_there_are(kind: str) -> None:
    row = re.search(rf"^\| an? {kind} \| (\d+) \| (.*?) \| (\d+) \| (.*?) \|", PAGE, re.MULTILINE)
    assert row is not None, f"docs/adding.md has no row for a {kind}"
    new, changed = new_files(kind), changed_files(kind)
    assert new
    assert (int(row[1]), sorted(re.findall(r"`(.+?)`", row[2]))) == (len(new), new)
    assert (int(row[3]), sorted(re.findall(r"`(.+?)`", row[4]))) == (len(changed), sorted(changed))


def test_every_toy_is_of_a_kind_on_the_page() -> None:
    assert {folder.name for folder in HERE.glob("toy_*")} == {toy(kind).name for kind in [*GROUPS, *INSIDE, "KPI"]}
    assert len(re.findall(r"^\| an? ", PAGE, re.MULTILINE)) == len([*GROUPS, *INSIDE, "KPI"])


def run(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    """Output of a command of Python's that succeeds."""
    done = subprocess.run(
        [sys.executable, *command], env=environ, cwd=folder, capture_output=True, text=True, timeout=patient(150)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def passed(tests: list[str], folder: Path, environ: dict[str, str], *options: str) -> int:
    """How many tests have passed, as all must."""
    told = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *tests], folder, environ)
    counted = re.search(r"(\d+) passed", told)
    assert counted is not None, told
    return int(counted[1])


@pytest.mark.parametrize(
    ("kind", "test", "at_least"),
    [("connector", "test_contract.py", 10), ("sink", "test_contract.py", 10), ("screen", "test_screen.py", 1)],
)
def test_a_package_of_a_third_party_is_found_and_keeps_the_contract(
    kind: str, test: str, at_least: int, tmp_path: Path
) -> None:
    package = toy(kind).name
    environ = install(tmp_path, package, f"[{GROUPS[kind]}]\ntoy = {package}:spec\n")
    options = ("--import-mode=importlib", "-c", os.devnull)  # none of ours
    assert passed([str(tmp_path / package / test)], tmp_path, environ, *options) >= at_least


@pytest.mark.parametrize("kind", INSIDE)
def test_what_stands_among_ours_works(kind: str, tmp_path: Path) -> None:
    """In a copy of the tree, for there is no other place for it."""
    unwanted = shutil.ignore_patterns("__pycache__", "adding", "cases", "torture", "integration")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in (*PACKAGES, "docs", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=unwanted)
    shutil.copytree(toy(kind), tmp_path, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    environ = environment(tmp_path) | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    subprocess.run(["git", "apply", CHANGES], cwd=tmp_path, env=environ, check=True)
    wrote = run(["-m", "uns", "docs", "docs"], tmp_path, environ)
    assert {line.removeprefix("wrote docs/") for line in wrote.splitlines()} == set(WRITTEN[kind])
    for page, new in WRITTEN[kind].items():
        assert new in (tmp_path / "docs" / page).read_text(encoding="utf-8"), page
    assert passed(INSIDE[kind], tmp_path, environ) >= 2


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
    for file in new_files("KPI"):
        shutil.copy(HERE / "toy_kpi" / file, tmp_path)
    told = text(samples("06:00:00", State="RUN", Good=0), samples("06:30:00", Good=600), samples("07:00:00", Good=1200))
    folded = fold(load_plant(tmp_path), read(told))
    hours = [record for record in folded.records if isinstance(record, Kpi) and record.window == "hour"]
    assert 1200.0 in {record.values["toy_speed"] for record in hours}
