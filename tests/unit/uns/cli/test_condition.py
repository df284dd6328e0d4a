"""`uns condition`: age replacement and remaining life from files, and errors in a person's words."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uns.cli.app import app

LIVES = "age,failed\n" + "".join(f"{age},1\n" for age in (40, 70, 85, 90, 100, 120, 130)) + "140,0\n140,0\n"


def test_replace(tmp_path: Path) -> None:
    file = tmp_path / "lives.csv"
    file.write_text(LIVES, encoding="utf-8")
    told = CliRunner().invoke(app, ["condition", "replace", str(file), "--price-ratio", "5", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    assert (found["failures"], found["lives"]) == (7, 9)
    assert 2 < found["shape"] < 5
    assert 0 < found["replace_at"] < found["scale"]


def test_life(tmp_path: Path) -> None:
    file = tmp_path / "vibration.csv"
    file.write_text(
        "at,value\n" + "".join(f"{t},{2 + 0.1 * t + 0.1 * (-1) ** t}\n" for t in range(40)), encoding="utf-8"
    )
    told = CliRunner().invoke(app, ["condition", "life", str(file), "--limit", "10", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    assert found["low"] < 41 < found["high"]


def test_bearing() -> None:
    words = ["condition", "bearing", "--balls", "9", "--ball", "7.94", "--pitch", "38.5", "--shaft", "25"]
    told = CliRunner().invoke(app, [*words, "--peak", "135.7", "--peak", "160.7", "--peak", "300"])
    assert told.exit_code == 0, told.output
    assert "outer_race: 89.30 Hz" in told.output
    assert "peak at 135.7 Hz: inner_race, harmonic 1\n" in told.output
    assert "peak at 160.7 Hz: inner_race, harmonic 1, side band +1\n" in told.output
    assert "peak at 300 Hz: nothing of this bearing\n" in told.output
    found = json.loads(CliRunner().invoke(app, [*words, "--peak", "89", "--json"]).output)
    assert found["peaks"] == [{"hz": 89.0, "line": {"part": "outer_race", "harmonic": 1, "band": 0}}]
    for wrong in (["--balls", "2"], ["--shaft", "0"], ["--ball", "40"]):
        told = CliRunner().invoke(app, [*words, *wrong])
        assert told.exit_code != 0
        assert "bearing" in f"{told.output}{told.exception}" or "turns a second" in f"{told.output}{told.exception}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("age,failed\n1,1\n", "a Weibull needs two"),
        ("age\n1\n", "line 2"),
        ("age,failed\nnan,1\n2,1\n", "no finite number"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "lives.csv"
    file.write_text(text, encoding="utf-8")
    told = CliRunner().invoke(app, ["condition", "replace", str(file), "--price-ratio", "5"])
    assert told.exit_code != 0
    assert words in f"{told.output}{told.exception}"
