"""`uns kpi`: definitions listed, shown and checked."""

import json
from pathlib import Path

import pytest

from tests.unit.topology.model.test_kpis import OWN, PLANT
from topology.kpi.definition import shipped
from uns.cli.app import main


def uns(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["uns", "kpi", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    (tmp_path / "plant.yaml").write_text(PLANT)
    (tmp_path / "kpi.yaml").write_text(OWN)
    return tmp_path


def test_list_says_where_each_is_from(
    plant: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert uns(monkeypatch, "list", "--plant", str(plant), "--json") == 0
    rows = {row["definition"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == {*shipped(), "acme@1"}
    assert rows["acme@1"]["origin"] == f"{plant / 'kpi.yaml'}:2"


def test_show(plant: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert uns(monkeypatch, "show", "iso22400", "--plant", str(plant)) == 0
    page = capsys.readouterr().out
    assert "iso22400@2" in page
    assert "sum(PRI * GQ) / PBT" in page
    assert "micro_stop" in page
    assert "planned: break" in page
    assert uns(monkeypatch, "show", "acme@1", "availability", "--plant", str(plant), "--json") == 0
    assert json.loads(capsys.readouterr().out)["formula"] == "APT / PBT"
    for words, hint in ((["nakajma"], "did you mean 'nakajima@1'"), (["iso22400", "mtbg"], "did you mean 'mtbf'")):
        assert uns(monkeypatch, "show", *words, "--plant", str(plant)) == 1
        assert hint in capsys.readouterr().err


def test_lint_of_a_plant_and_of_a_file(
    plant: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert uns(monkeypatch, "lint", str(plant)) == 0
    (plant / "kpi.yaml").write_text(OWN.replace("APT / PBT", "APT / PTB"))
    assert uns(monkeypatch, "lint", str(plant)) == 1
    assert f"{plant / 'kpi.yaml'}:8:" in capsys.readouterr().out
    alone = plant / "alone.txt"
    alone.write_text(
        "name: x\nversion: 1\ndescription: x\nrunning: [execute]\ntime_model: [{element: APT}]\ntotals:\n  A: APTT\n"
    )
    assert uns(monkeypatch, "lint", str(alone), "--json") == 1
    (problem,) = json.loads(capsys.readouterr().out)
    assert problem["line"] == 7
    assert "did you mean 'APT'" in problem["message"]
