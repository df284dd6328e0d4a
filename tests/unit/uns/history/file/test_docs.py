"""docs/fold.md: its plant folder, its input and its output are what `uns fold` reads and says."""

import json
import re
from pathlib import Path
from typing import get_args

import msgspec
from typer.main import get_command
from typer.testing import CliRunner

import uns.cli.fold  # noqa: F401
from schemas.records import RAW_TYPES
from topology.model.equipment import EquipmentType
from topology.model.loader import load
from topology.model.tags import Role, Tag
from uns.cli.app import app
from uns.history.file.read import DEFAULTS

PAGE = (Path(__file__).parents[5] / "docs" / "fold.md").read_text(encoding="utf-8")
BLOCKS: dict[str, list[str]] = {}
for language, block in re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL):
    BLOCKS.setdefault(language, []).append(block)
PLANT, FURTHER = BLOCKS["yaml"]
INPUT, OUTPUT = BLOCKS["json"]


def test_the_example_gives_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "plant.yaml").write_text(PLANT)
    (tmp_path / "history.jsonl").write_text(INPUT)
    words = ["fold", str(tmp_path / "history.jsonl"), "--plant", str(tmp_path / "plant"), "--json"]
    for options in ([], ["--all-revisions"], ["--until", "2026-11-23T14:00:00Z"]):
        result = CliRunner().invoke(app, [*words, *options])
        assert result.exit_code == 0
        assert result.stderr.splitlines()[:-1] == []  # the last line sums up
        found = [json.loads(line) for line in result.stdout.splitlines()]
        for line in OUTPUT.splitlines():
            expected = json.loads(line)
            assert any(all(one.get(name, ...) == value for name, value in expected.items()) for one in found), line


def test_commands_of_the_page_are_options_there_are() -> None:
    known = {name for option in get_command(app).commands["fold"].params for name in option.opts}  # type: ignore[attr-defined]
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) <= known


def test_the_plant_is_one_machine_in_ten_lines() -> None:
    assert len(PLANT.splitlines()) <= 10


def test_the_further_keys_are_keys(tmp_path: Path) -> None:
    (tmp_path / "plant.yaml").write_text(PLANT + FURTHER)
    model = load(tmp_path, {})
    assert (model.kpi.definition, set(model.calendars.values())) == ("iso22400@2", {"dallas"})


def test_every_role_and_option_is_named() -> None:
    named = set(re.findall(r"`(\w+)", PAGE))
    assert set(get_args(Role)) <= named
    assert set(EquipmentType.model_fields) - {"tags"} <= named
    members = get_args(get_args(Tag)[0])
    assert len(members) == 8
    assert {field for member in members for field in member.model_fields} - {"role", "target"} <= named


def test_every_record_and_field_is_named() -> None:
    rows = dict(re.findall(r"^\| `([A-Z]\w+)` \|(.*)\|$", PAGE, re.MULTILINE))
    assert set(rows) == {cls.__name__ for cls in RAW_TYPES}
    shown = {json.loads(line)["type"] for line in INPUT.splitlines()}
    assert shown == set(rows)
    for cls in RAW_TYPES:
        _, required, left_out = rows[cls.__name__].split("|")
        fields = msgspec.structs.fields(cls)
        must = {field.name for field in fields if field.required} - DEFAULTS.get(cls.__name__, {}).keys()
        assert must <= set(re.findall(r"`(\w+)`", required))
        assert {field.name for field in fields} - must <= set(re.findall(r"`(\w+)`", left_out))


def test_every_reason_of_a_refusal_is_named() -> None:
    from tests.unit.uns.history.file.test_command import FAULTS

    table = PAGE.partition("| `reason` | |")[2]
    assert {reason for _, reason, _ in FAULTS.values()} <= set(re.findall(r"`(\w+)`", table))
