"""`uns sink try` with sinks of time series: what a record comes to, and with --send what the target says to it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from schemas.records import Record, Sample, Samples
from schemas.text import to_plain
from tests.integration.sinks.series.targets import Subject
from tests.integration.sinks.series.writing import PATHS, T
from uns.cli.app import app
from uns.testing import downtime


@pytest.fixture
def plant(tmp_path: Path, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> Path:
    areas = {"packaging": {"lines": {"line-1": {"cells": {"filler": "filler"}}}}}
    sink = {
        "kind": subject.kind,
        "subscribe": {"filter": "acme/#", "classes": ["raw", "downtime"]},
        "config": subject.config,
    }
    model = {
        "namespace": {"enterprise": "acme", "sites": {"dallas": {"areas": areas}}},
        "types": {"filler": {"tags": {"State": {"role": "state"}}, "ideal_cycle_s": 6.0}},
        "sinks": {"series": sink},
    }
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    monkeypatch.setenv("UNS_PLANT", str(tmp_path / "plant"))
    monkeypatch.setenv("UNS_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


def tried(folder: Path, record: Record, *words: str) -> list[dict[str, Any]]:
    file = folder / "record.jsonl"
    file.write_text(json.dumps({"path": PATHS[0], "offset": 7, **to_plain(record)}), encoding="utf-8")
    done = CliRunner().invoke(app, ["sink", "try", "series", "--record", str(file), "--json", *words])
    assert done.exit_code == 0, done.output
    assert "hunter2" not in done.output
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def test_a_record_is_shown_and_then_sent(subject: Subject, plant: Path) -> None:
    record = Samples("plc", 1, (Sample("Speed", T, 1.5), Sample("bad\n", T, 1)))
    shown = tried(plant, record)
    assert "1.5" in str(shown[0])
    assert subject.held() == {}
    sent = tried(plant, record, "--send")
    if subject.kind != "questdb":  # which takes a line break in a name
        assert sent[-1]["outcome"] == "rejected"
        assert sent[-1]["reason"] == "unfit"
    assert "204" in str(sent)
    assert (PATHS[0], "Speed", T) in subject.held()


def test_a_stop_is_shown_and_then_sent(subject: Subject, plant: Path) -> None:
    assert "jam" in str(tried(plant, downtime(1)))
    tried(plant, downtime(1), "--send")
    assert len(subject.held()) == 1
