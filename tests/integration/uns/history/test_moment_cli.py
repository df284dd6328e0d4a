"""`uns at` and `uns diff` over a real Kafka."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from schemas.records import Sample, Samples, State
from tests.harness.own_area import OwnArea
from tests.harness.records import EXAMPLES, PATH, T
from uns.testing.patience import patient

S = 1_000_000


@pytest.fixture
def area(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> OwnArea:
    area = OwnArea(kafka, registry, enterprise, tmp_path)
    example = next(each for each in EXAMPLES if isinstance(each, State))

    def state(begin: int, end: int | None, word: str) -> State:
        return msgspec.structs.replace(
            example, started_at=begin, ended_at=end, state=word, id=f"{PATH}#state@{begin}:0", status="final"
        )

    area.write([state(T, T + 60 * S, "execute"), state(T + 60 * S, None, "held")])
    area.write([Samples("plc", 1, (Sample("Good", T, 6), Sample("Good", T + 60 * S, 7)))])
    return area


def uns(area: OwnArea, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = {
        "UNS_BOOTSTRAP": str(area.settings.bootstrap),
        "UNS_REGISTRY": str(area.settings.registry),
        "UNS_STATE_DIR": str(folder),
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "uns", *words]
    return subprocess.run(
        command, env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=patient(60)
    )


@pytest.mark.long
def test_at_a_time_and_between_two(area: OwnArea, tmp_path: Path) -> None:
    everything, path = f"{area.enterprise}/#", PATH.replace("acme", area.enterprise, 1)
    first, second = "2026-11-18T11:07:00Z", "2026-11-18T11:08:00Z"
    ran = uns(area, tmp_path, "at", first, everything, "--tags", "--json")
    assert ran.returncode == 0, ran.stderr
    (found,) = map(json.loads, ran.stdout.splitlines())
    assert (found["path"], found["state"]["state"], found["state"]["offset"]) == (path, "execute", 0)
    assert found["tags"] == [
        {
            "tag": "Good", "at": "2026-11-18T11:06:40.000000+00:00", "value": 6, "quality": 0, "age_s": 20.0,
            "topic": f"uns.{area.enterprise}.dallas.packaging.raw", "partition": 0, "offset": 0,
        }
    ]  # fmt: skip
    ran = uns(area, tmp_path, "diff", first, second, everything, "--tags")
    assert (ran.returncode, ran.stdout) == (
        1,
        f"{path}  state            execute → held\n{path}  tag Good         6 → 7\n",
    ), ran.stderr
    assert uns(area, tmp_path, "diff", first, first, everything).returncode == 0
    before = uns(area, tmp_path, "at", "2026-11-18T11:00:00Z", everything)
    assert before.returncode == 1
    assert "nothing is known" in before.stderr
    known = uns(area, tmp_path, "at", first, everything, "--known-at", "2026-11-18T11:07:00Z")
    assert known.returncode == 1, "Kafka has it only since now"
