"""Published control charts through `uns fold`: every limit to the published digits, every flag, and no other."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.records import Alert, Quality
from tests.harness.fold_files import CELL, plant
from uns.history.file.fold import Folded, fold
from uns.history.file.read import read

BEGIN, MINUTE = 1_795_413_600_000_000, 60_000_000
CHARTS = sorted((Path(__file__).parent / "charts").glob("*.yaml"))


def folded(case: dict[str, Any]) -> Folded:
    """The data set as a file: counts with a size as inspections, all else as samples, a minute apart."""
    sizes = case.get("sizes")
    lines: list[dict[str, Any]] = []
    for n, value in enumerate(case["values"]):
        at = BEGIN + n * MINUTE
        if sizes is None:
            lines.append({"type": "Samples", "path": CELL, "samples": [{"tag": "x", "at": at, "value": float(value)}]})
        else:
            size = sizes[n % len(sizes)]
            fact: dict[str, Any] = {
                "id": f"i{n}",
                "characteristic": "x",
                "at": at,
                "value": float(value),
                "size": float(size),
            }
            lines.append({"type": "Inspection", "path": CELL, **fact})
    tag = {"role": "characteristic", "chart": case["chart"], "baseline": case.get("baseline", 25)}
    model = plant(tags={"x": tag})
    return fold(model, read("\n".join(map(json.dumps, lines)).encode()))


@pytest.mark.parametrize("file", CHARTS, ids=lambda file: file.stem)
def test_limits_and_flags(file: Path) -> None:
    case = yaml.safe_load(file.read_text(encoding="utf-8"))
    result = folded(case)
    assert not result.refused
    points = [r for r in result.records if isinstance(r, Quality) and r.phase != "member"]
    for number, expected in case["at"].items():
        point = points[number - 1]
        for field, value in expected.items():
            said = point.value if field == "plotted" and point.plotted is None else getattr(point, field)
            assert said == pytest.approx(value, abs=0.51 * 10.0 ** -case["digits"]), (number, field)
    if "outliers" in case:
        (named,) = [point.outliers for point in points if point.outliers] or [()]
        assert [round((at - BEGIN) / MINUTE) + 1 for at in named] == case["outliers"]
    if "flagged" in case:
        flagged = {
            n: [*point.rules] for n, point in enumerate(points, start=1) if [rule for rule in point.rules if rule]
        }
        assert flagged == case["flagged"]
    if "alert_since" in case:
        (alert,) = [r for r in result.records if isinstance(r, Alert)]
        minutes = case["alert_since"] - 1
        assert f"since 2026-11-23 06:{minutes:02} UTC" in alert.message or f"06:{minutes:02}:00 UTC" in alert.message
