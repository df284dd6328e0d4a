"""`uns kpi diff --file`: two definitions over a file, without Kafka or network."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Order, Reason
from schemas.text import iso, to_plain
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, OWN, T0, Told, beats, samples
from uns.cli.app import main

PLANT = f"""\
namespace:
  enterprise: acme
  sites: {{dallas: {{areas: {{packaging: {{lines: {{line-1: {{cells: {{filler: filler}}}}}}}}}}}}}}
types:
  filler:
    tags:
      State: {{role: state, map: packml}}
      Good: {{role: good_count}}
      Heartbeat: {{role: heartbeat}}
    ideal_cycle_s: 6.0
    silent_after_s: 60
    reasons: {{201: {{name: drive fault, category: breakdown}}}}
shifts:
  all:
    filter: acme/dallas/#
    zone: UTC
    shifts: {{early: {{begin: "06:00", end: "08:00", breaks: [{{begin: "07:30", end: "07:40"}}]}}}}
kpi_definitions: {{"acme@1": {json.dumps(OWN)}}}
"""
LOG: list[Told] = [
    (LINE, Order(id="4711", product="cola", started_at=T0, ended_at=T0 + 2 * HOUR)),
    samples(T0, State=6, Good=0),
    samples(T0 + 10 * MINUTE, State=2),
    samples(T0 + 14 * MINUTE, State=6, Good=100),
    samples(T0 + 30 * MINUTE, State=9),
    samples(T0 + 50 * MINUTE, State=6, Good=200),
    (CELL, Reason(id="r", code=201, started_at=T0 + 30 * MINUTE, by="ann")),
    samples(T0 + 2 * HOUR, Good=300),
    *beats(T0, T0 + 2 * HOUR),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "plant.yaml").write_text(PLANT)
    lines = (json.dumps({"path": path, **to_plain(record)}) for path, record in LOG)
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    return tmp_path


def uns(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> int:
    more = ["--plant", str(folder / "plant"), "--file", str(folder / "log.jsonl"), "--to", iso(T0 + 9 * HOUR)]
    monkeypatch.setattr("sys.argv", ["uns", "kpi", "diff", *words, *more])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_file_under_two_definitions(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert uns(monkeypatch, folder, "iso22400", "acme", "acme/#", "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    (row,) = found["rows"]
    assert (row["path"], row["window"], row["windows"], row["open_windows"]) == (CELL, "shift", 1, 0)
    assert row["stops"] == []  # 4 and 20 minutes are availability to both
    (pause,) = row["others"]
    assert (pause["what"], pause["us"], pause["class_a"], pause["class_b"]) == (
        "break", 10 * MINUTE, "outside", "availability",
    )  # fmt: skip
    assert not any(row["rest_us"].values())
    assert row["kpis"]["availability"]["a"] == pytest.approx(86 / 110)
    assert row["kpis"]["availability"]["b"] == pytest.approx(86 / 120)
    assert uns(monkeypatch, folder, "iso22400", "nakajima", "#", "--window", "hour", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [[(one["what"], one["us"]) for one in row["stops"]] for row in found["rows"]] == [
        [("stop, no reason given", 4 * MINUTE)],
        [],
    ]
    assert found["together_us"]["stops"]["performance"] == 4 * MINUTE


def test_the_page_and_what_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert uns(monkeypatch, folder, "iso22400", "nakajima", "acme/dallas/#") == 0
    page = capsys.readouterr().out
    assert "MINOR (performance)" in page
    assert "+3.64" in page  # availability: 4 of 110 minutes
    for words, hint in (
        (["iso22400", "nakajma", "#"], "did you mean 'nakajima@1'"),
        (["iso22400", "nakajima", "acme/leipzig/#"], "no machine of the plant model"),
        (["iso22400", "nakajima", "#", "--window", "week"], "there are hour, shift, day"),
        (["iso22400", "nakajima", "#", "--from", "tomorrow"], "expected beginning, now"),
        (["iso22400", "nakajima", "#", "--from", iso(T0 + 8 * HOUR)], "no shift or hour begins"),
    ):
        assert uns(monkeypatch, folder, *words) == 1
        assert hint in capsys.readouterr().err
