"""`uns pub` and `uns ack` ask the plant model before they ask Kafka for anything."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness.fold_files import CELL, LINE
from uns.cli.app import main

ALERT = f"{CELL}#alert.silent@20261123T060000.000000Z~iso22400@1"
REASON: dict[str, Any] = {"type": "Reason", "id": "r", "code": 301, "started_at": "2026-11-23T06:00:00Z", "by": "anna"}
NO_KAFKA = "no Kafka"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    model = {
        "namespace": {
            "enterprise": "acme",
            "sites": {"dallas": {"areas": {"packaging": {"lines": {"line-1": {"cells": {"filler": "filler"}}}}}}},
        },
        "types": {
            "filler": {
                "tags": {"State": {"role": "state"}},
                "ideal_cycle_s": 1.0,
                "reasons": {301: {"name": "jam", "category": "micro"}},
            }
        },
    }
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("UNS_BOOTSTRAP", "UNS_PLANT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UNS_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command says as it fails: here there is no Kafka, so it always does."""
    monkeypatch.setattr("sys.argv", ["uns", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        (CELL, {}, NO_KAFKA),
        (LINE, {"code": 0}, NO_KAFKA),
        (CELL, {"code": 310}, "not published: "),
        (CELL, {"code": 310}, "did you mean 301 (jam)?"),
        (LINE, {"code": 7}, "the codes are 301 (jam)"),
        (f"{LINE}/filer", {}, f"did you mean '{CELL}'?"),
        ("acme/dallas", {}, "no such machine or line"),
        (CELL, {"ended_at": "2026-11-23T05:00:00Z"}, "ends before it begins"),
        (CELL, {"comment": "c" * 4_001}, "4000 are the most"),
        (CELL, {"by": "b" * 129}, "--force publishes it all the same"),
    ],
)
def test_pub(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    change: dict[str, Any],
    expected: str,
) -> None:
    fact = json.dumps(REASON | change)
    assert expected in said(monkeypatch, capsys, "pub", path, fact)
    assert NO_KAFKA in said(monkeypatch, capsys, "pub", path, fact, "--force")


def test_without_a_model_nothing_is_published_unchecked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fact = json.dumps(REASON)
    elsewhere = str(folder / "nowhere")
    assert "--plant names its folder, --force" in said(monkeypatch, capsys, "pub", CELL, fact, "--plant", elsewhere)
    assert NO_KAFKA in said(monkeypatch, capsys, "pub", CELL, fact, "--plant", elsewhere, "--force")


def test_ack(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert NO_KAFKA in said(monkeypatch, capsys, "ack", ALERT, "--by", "anna")
    capper = ALERT.replace("filler", "capper")
    assert "no such machine or line" in said(monkeypatch, capsys, "ack", capper, "--by", "anna")
    assert NO_KAFKA in said(monkeypatch, capsys, "ack", capper, "--by", "anna", "--force")
