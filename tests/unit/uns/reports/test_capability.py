"""`uns quality capability`: the same numbers as the records, from a file of raw records and from the fold's own words."""

import json
import random
import statistics
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from schemas.records import Capability, Derived, Quality
from schemas.text import iso, to_plain
from uns.cli.app import UserError, app
from uns.history.file.fold import fold
from uns.history.file.read import read
from uns.model.plant import load_plant
from uns.reports.quality.capability import capabilities, document, page

T0, MINUTE = 1_795_000_000_000_000 // 3_600_000_000 * 3_600_000_000, 60_000_000
CELL = "acme/dallas/packaging/line-1/filler"
PLANT = """
namespace: {enterprise: acme, sites: {dallas: {areas: {packaging: {lines: {line-1: {cells: {filler: filler}}}}}}}}
types:
  filler:
    ideal_cycle_s: 1.0
    silent_after_s: null
    tags:
      Width: {role: characteristic, lsl: 9.0, usl: 11.5, chart: {kind: mean_range, subgroup: {size: 4}}}
      Free: {role: characteristic}
"""


def history(folder: Path) -> tuple[Path, Path, list[float]]:
    draw = random.Random(3)
    (folder / "plant.yaml").write_text(PLANT)
    values = [round(draw.gauss(10.0, 0.3), 4) for _ in range(120)]
    lines = [
        {
            "type": "Samples",
            "path": CELL,
            "samples": [
                {"tag": "Width", "at": iso(T0 + n * MINUTE), "value": value},
                {"tag": "Free", "at": iso(T0 + n * MINUTE), "value": value},
            ],
        }
        for n, value in enumerate(values)
    ]
    order = {"type": "Order", "path": "acme/dallas/packaging/line-1", "id": "1", "product": "cap"}
    lines.append({**order, "started_at": iso(T0), "ended_at": iso(T0 + 120 * MINUTE)})
    late = [{"tag": "Free", "at": iso(T0 + 150 * MINUTE), "value": 1.0}]
    lines.append({"type": "Samples", "path": CELL, "samples": late})
    file = folder / "history.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return file, folder / "plant.yaml", values


def asked(*words: str) -> str:
    result = CliRunner().invoke(app, ["quality", "capability", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_says_what_the_record_of_the_order_says(tmp_path: Path) -> None:
    file, plant, values = history(tmp_path)
    (told,) = json.loads(asked("--file", str(file), "--plant", str(plant), "--json"))
    records = fold(load_plant(plant), read(file.read_bytes())).records
    (order,) = [one for one in records if isinstance(one, Capability) and one.window == "order"]
    assert (told["points"], order.points, order.subgroups) == (120, 120, 30)
    assert told["sigma_overall"] == pytest.approx(statistics.stdev(values))
    for name in ("cp", "cpk", "cpk_low", "ppk", "ppk_high", "cpm", "normality", "normal_p", "sigma_within", "method"):
        assert told[name] == getattr(order, name), name
    derived: list[Derived] = [one for one in records if isinstance(one, Quality)]
    plain = tmp_path / "derived.jsonl"
    plain.write_text("\n".join(json.dumps({**to_plain(one), "class": "quality"}) for one in derived))
    assert json.loads(asked("--file", str(plain), "--plant", str(plant), "--json")) == [told]


def test_a_study_says_cm_and_cmk_and_that_it_is_short(tmp_path: Path) -> None:
    file, plant, values = history(tmp_path)
    words = ["--file", str(file), "--plant", str(plant), "--study"]
    text = asked(*words, "--to", iso(T0 + 30 * MINUTE))
    sd = statistics.stdev(values[:31])
    assert f"Cm  {2.5 / (6 * sd):.3f} (" in text
    assert "a machine study has 50 pieces in a row or more; these are 31" in text
    assert "nothing speaks against a normal distribution" in text
    (told,) = json.loads(asked(*words, "--json"))
    assert told["cmk"] == pytest.approx(
        min(11.5 - statistics.fmean(values), statistics.fmean(values) - 9) / (3 * statistics.stdev(values))
    )
    assert "cp" not in told


def test_nothing_to_judge_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    file, plant, _ = history(tmp_path)
    words = ["quality", "capability", "--file", str(file), "--plant", str(plant), "--characteristic", "Free"]
    with pytest.raises(UserError, match="state lsl or usl of its tag"):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_many_values_that_are_not_normal_are_judged_by_quantiles(tmp_path: Path) -> None:
    file, plant, _ = history(tmp_path)
    (one,) = {
        point.characteristic: point
        for point in fold(load_plant(plant), read(file.read_bytes())).records
        if isinstance(point, Quality) and point.characteristic == "Width"
    }.values()
    draw = random.Random(1)
    points = [
        msgspec.structs.replace(
            one,
            id=f"{CELL}#quality.Width@{n}~iso22400@1:0",
            value=9 + draw.expovariate(2.0),
            started_at=T0 + n,
            phase="control",
            revision=0,
        )
        for n in range(900)
    ]
    (found,) = capabilities(points, study=False)
    assert document(found)["method"] == "quantile"
    assert "not normal: go by the quantiles" in page([found])
    (few,) = capabilities(points[:100], study=False)
    assert document(few)["method"] == "unknown"
