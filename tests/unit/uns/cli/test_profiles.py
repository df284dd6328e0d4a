"""`uns sink profiles`: what there is, what one rests on, and an entry that lint takes."""

import json
from pathlib import Path

import yaml
from typer.testing import CliRunner

from sinks.rest.profiles import names
from uns.cli.app import app
from uns.model import starter
from uns.model.lint import check

RUN = CliRunner()


def out(*words: str) -> str:
    result = RUN.invoke(app, ["sink", "profiles", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_all_are_listed_with_whether_they_were_tried() -> None:
    lines = {line.split()[0]: line for line in out().splitlines()}
    assert set(names()) <= set(lines)
    assert " tried " in lines["odoo-cmms"]
    assert " read " in lines["slack"]
    assert [each["name"] for each in json.loads(out("--json"))] == list(names())


def test_what_one_prints_is_an_entry_that_lint_takes(tmp_path: Path) -> None:
    starter.write(tmp_path, "opcua", None)
    for name in names():
        text = out(name)
        assert yaml.safe_load(text)["sinks"][name]["config"]["profile"] == name
        (tmp_path / "sinks.yaml").write_text(text, encoding="utf-8")
        problems = [each for each in check(tmp_path, {})[0] if f"sinks.{name}" in each.where]
        assert [each.message for each in problems if "matches no path" not in each.message] == []
    assert json.loads(out("slack", "--json"))["system"] == "Slack"


def test_one_that_is_not_there_is_answered_with_the_nearest() -> None:
    result = RUN.invoke(app, ["sink", "profiles", "odo-cmms"])
    assert result.exit_code != 0
    assert "did you mean 'odoo-cmms'" in str(result.exception)
