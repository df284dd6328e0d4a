"""What was found, as a table and as a connector: nothing is lost on the way, and what people do to tables is understood."""

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Found
from connectors.kit.yaml_text import mapping, remark, text
from topology.model.loader import load
from topology.model.plant import Plant
from uns.errors import UserError
from uns.model import starter
from uns.model.inventory import COLUMNS, config_of, connector_yaml, placed, read_table, row, with_options

CELLS = "{filler: machine, capper: machine}"
LINE = "my-company/my-site/my-area/line-1"


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    folder = tmp_path / "plant"
    starter.write(folder, "opcua", None)
    names = folder / "namespace.yaml"
    names.write_text(
        names.read_text().replace(
            "cells:\n                machine-1: machine # cell name: equipment type, defined in types.yaml",
            f"cells: {CELLS}",
        )
    )
    (folder / "connectors.yaml").unlink()
    return load(folder, {})


def test_machines_are_found_by_their_names_and_strangers_are_counted(plant: Plant) -> None:
    found = [Found("i=1", "A", "Filler"), Found("i=2", "B", "Capper"), Found("i=3", "C", "Palletiser"), Found("i=4", "D", "Palletiser")]  # fmt: skip
    chosen, strangers = placed(found, plant, None)
    assert {path: [one.tag for one in members] for path, members in chosen.items()} == {
        f"{LINE}/filler": ["A"],
        f"{LINE}/capper": ["B"],
    }
    assert strangers == {"Palletiser": 2}


def test_one_machine_may_be_all_and_names_stay_apart(plant: Plant) -> None:
    found = [
        Found("i=1", "A", "X", roles={"A": {"role": "good_count"}}),
        Found("i=2", "A", "Y"),
        Found("i=3", "A", "Y"),
    ]
    chosen, strangers = placed(found, plant, f"{LINE}/capper")
    assert [one.tag for one in chosen[f"{LINE}/capper"]] == ["X.A", "Y.A", "Y.A@i=3"]
    assert chosen[f"{LINE}/capper"][0].roles == {"X.A": {"role": "good_count"}}
    assert not strangers
    alone, _ = placed([Found("i=1", "A", "Unheard of")], plant, None)
    assert list(alone) == [f"{LINE}/filler"], "a source with one machine is the plant's first"
    by_path, _ = placed([Found("i=1", "A", f"{LINE}/capper"), Found("i=2", "A", "?")], plant, None)
    assert list(by_path) == [f"{LINE}/capper"]


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).map(str.strip).filter(bool)


ROLES: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.just(
    {"A": {"role": "mode", "map": {1: "production", "None": "none"}}}
)


@given(st.lists(st.builds(Found, address=TEXTS, tag=TEXTS, machine=st.none() | TEXTS, type=st.just("Int64"), unit=st.none() | TEXTS, description=st.just("") | TEXTS, roles=ROLES), min_size=1, max_size=5))  # fmt: skip
def test_a_table_gives_back_what_was_put_in(tmp_path_factory: pytest.TempPathFactory, found: list[Found]) -> None:
    for dialect in (",", ";"):
        file = tmp_path_factory.mktemp("t") / "t.csv"
        with file.open("w", encoding="utf-8-sig", newline="") as text:
            writer = csv.DictWriter(text, COLUMNS, delimiter=dialect)
            writer.writeheader()
            writer.writerows(row(one) for one in found)
        assert read_table(file) == found


@given(tag=TEXTS, address=TEXTS, description=TEXTS, unit=TEXTS)
def test_any_text_of_a_source_is_yaml_that_says_the_same(tag: str, address: str, description: str, unit: str) -> None:
    found = Found(address, tag, None, "Int64", unit, description, 5)
    line = mapping(tag, text(address)) + remark(found)
    assert yaml.safe_load(line) == {tag: address}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("machine,tag\nA,B\n", "no column 'address'; it has machine, tag"),
        ("tag,address\n,i=1\n", "t.csv:2: no tag"),
        ("tag,address\n", "has no rows"),
        ("", "no column 'tag'; it has none"),
        ("tag,address,roles\nA,i=1,{\n", "t.csv:2: `roles` is no YAML"),
    ],
    ids=["column", "cell", "rows", "empty", "roles"],
)
def test_a_table_that_is_none_says_where(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(UserError) as told:
        read_table(tmp_path / "t.csv")
    assert words in str(told.value)


def test_what_is_written_is_the_plants_connector(plant: Plant) -> None:
    found = [
        Found("ns=2;s=a", "State", "Filler", "Int32", None, "what\nit does", 6, {"State": {"role": "state", "map": {None: "idle"}}}),
        Found('ns=2;s="db".x', "Speed: now", "Filler", "Float", "m/s"),
    ]  # fmt: skip
    chosen, _ = placed(found, plant, None)
    text = connector_yaml("opcua", "plc", "opc.tcp://10.0.0.7:4840", ["timeout_s=9", "publish_interval_ms=50"], chosen)
    config = yaml.safe_load(text)["connectors"]["plc"]["config"]
    assert config == {
        "url": "opc.tcp://10.0.0.7:4840",
        "timeout_s": 9,
        "publish_interval_ms": 50,
        "machines": [{"path": f"{LINE}/filler", "tags": {"State": "ns=2;s=a", "Speed: now": 'ns=2;s="db".x'}}],
    }
    assert "# Int32, now 6, what it does\n" in text
    assert f"# {LINE}/filler\n#   State: {{role: state, map: {{null: idle}}}}\n" in text


def test_options_are_values_and_a_wrong_one_is_not_repeated() -> None:
    config = config_of("opcua", "opc.tcp://a:1", ["history=false", "security_policy=None", "timeout_s=2.5"])
    assert (config["history"], config["security_policy"], config["timeout_s"]) == (False, "None", 2.5)
    for wrong in ("hunter2", "password=[hunter2"):
        with pytest.raises(UserError) as told:
            with_options({}, [wrong])
        assert "hunter2" not in str(told.value)
