"""What TIA Portal exports becomes addresses, or is said to be none."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from connectors.base import Found, LeftOut
from connectors.s7.config import S7Config
from connectors.s7.exports import data_block, tag_table
from connectors.s7.inventory import listing
from tests.harness.polling import PATH
from tests.unit.uns.cli import test_plant
from tests.unit.uns.cli.test_plant import Uns
from topology.model.loader import load

uns = test_plant.uns
"""The fixture."""
SOURCE = """
TYPE "Motor"
VERSION : 0.1
   STRUCT
      Running : Bool;   // on
      Speed { S7_SetPoint := 'True'} : Real := 1.5;
   END_STRUCT;
END_TYPE

DATA_BLOCK "Filler"
{ S7_Optimized_Access := 'FALSE' }
VERSION : 0.1
NON_RETAIN
   STRUCT
      State : Int;
      Good : Bool;
      (* a comment; with : signs *)
      Bad : Bool := TRUE;
      Small : Byte;
      "Good Parts" : DInt := 5;
      Main : "Motor";
      Temps : Array[0..3] of Real;
      Bits : Array[1..20] of Bool;
      Name : String[16] := 'a;b$'c';
      At : DTL;
      Zones : Array[0..1] of Struct
         Level : Int;
         Full : Bool;
      END_STRUCT;
      Last : Time := T#1s;
   END_STRUCT;
BEGIN
   State := 7;
END_DATA_BLOCK
"""


def found(text: str) -> tuple[dict[str, tuple[str, str]], list[str]]:
    told = list(data_block(text, 10))
    known = {one.tag: (one.address, one.type) for one in told if isinstance(one, Found)}
    return known, [one.what for one in told if isinstance(one, LeftOut)]


def test_addresses_follow_from_declarations() -> None:
    known, left_out = found(SOURCE)
    assert left_out == []
    assert known == {
        "State": ("DB10.DBW0", "int"),
        "Good": ("DB10.DBX2.0", "bool"),
        "Bad": ("DB10.DBX2.1", "bool"),
        "Small": ("DB10.DBB3", "byte"),
        "Good Parts": ("DB10.DBD4", "dint"),
        "Main.Running": ("DB10.DBX8.0", "bool"),
        "Main.Speed": ("DB10.DBD10", "real"),
        "Temps": ("DB10.DBD14", "real[4]"),
        "Bits": ("DB10.DBX30.0", "bool[20]"),
        "Name": ("DB10.DBB34", "string(16)"),
        "At": ("DB10.DBB52", "dtl"),
        "Zones.0.Level": ("DB10.DBW64", "int"),
        "Zones.0.Full": ("DB10.DBX66.0", "bool"),
        "Zones.1.Level": ("DB10.DBW68", "int"),
        "Zones.1.Full": ("DB10.DBX70.0", "bool"),
        "Last": ("DB10.DBD72", "time"),
    }


def block(members: str, attribute: str = "FALSE") -> str:
    return (
        f"DATA_BLOCK \"B\" {{ S7_Optimized_Access := '{attribute}' }} STRUCT {members} END_STRUCT; BEGIN END_DATA_BLOCK"
    )


@pytest.mark.parametrize(
    ("text", "known", "words"),
    [
        (block("A : Int;", "TRUE"), [], "optimized access"),
        (block('A : Int; B : "Gone"; C : Int;'), [], "the type Gone"),
        (block("A : Int; B : IEC_TIMER; C : Int;"), [], "IEC_TIMER"),
        (block("A : Int; S : String[5]; B : Bool; C : Int;"), ["A", "S"], "not sure where B"),
        (block("A : Int; S : Array[0..2] of Byte; B : Byte; C : Int;"), ["A", "S"], "not sure where B"),
        (block("A : Int; G : Array[0..1, 0..2] of Int; C : Int;"), ["A", "C"], "several dimensions"),
        (block("A : Int; L : Array[0..99] of Int; C : Int;"), ["A", "C"], "more than 64"),
        ("nothing of the kind", [], "no DATA_BLOCK"),
        ('DATA_BLOCK "B" STRUCT A : Int', [], "it ends"),
    ],
)
def test_what_cannot_be_told_is_said(text: str, known: list[str], words: str) -> None:
    names, left_out = found(text)
    assert list(names) == known
    assert words in " ".join(left_out).replace('"', "")


def test_behind_a_text_of_odd_length_what_begins_at_a_word_is_sure() -> None:
    known, left_out = found(block("S : String[5]; A : Int; B : Bool;"))
    assert (known["A"], known["B"], left_out) == (("DB10.DBW8", "int"), ("DB10.DBX10.0", "bool"), [])


@given(st.text("ABC:;[]{}\"'.,(*) \nSTRUCTEND_BLOCKarray0123456789", max_size=80))
def test_any_text_is_read_or_left_out(text: str) -> None:
    for made in (text, block(text)):
        assert all(isinstance(one, Found | LeftOut) for one in data_block(made, 1))


def test_a_tag_table() -> None:
    rows = [
        {"Name": "Start", "Path": "Line", "Data Type": "Bool", "Logical Address": "%I0.3", "Comment": "button"},
        {"Name": "Count", "Path": "Line", "Data Type": "Int", "Logical Address": "%MW20"},
        {"Name": "Long", "Data Type": "LReal", "Logical Address": "%M40.0"},
        {"Name": "Timer", "Data Type": "Timer", "Logical Address": "%T5"},
        {"Name": "Odd", "Data Type": "Int", "Logical Address": "%MD8"},
        {},
    ]
    told = list(tag_table(rows))
    assert [(one.tag, one.address, one.type) for one in told if isinstance(one, Found)] == [
        ("Start", "I0.3", "bool"),
        ("Count", "MW20", "int"),
        ("Long", "M40.0", "lreal"),
    ]
    assert len([one for one in told if isinstance(one, LeftOut)]) == 2


@pytest.fixture
def exports(tmp_path: Path) -> list[dict[str, Any]]:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Name", "Path", "Data Type", "Logical Address", "Comment", "Hmi Visible"])
    sheet.append(["Start", "Default tag table", "Bool", "%I0.3", "button", "True"])
    book.create_sheet("TagTable Properties").append(["Path", "BelongsToUnit"])
    book.save(tmp_path / "PLCTags.xlsx")
    (tmp_path / "Filler.db").write_text(SOURCE, encoding="utf-8-sig")
    return [{"file": str(tmp_path / "PLCTags.xlsx")}, {"file": str(tmp_path / "Filler.db"), "db": 10}]


def test_what_was_exported_becomes_the_connector_that_reads_it(
    uns: Uns, tmp_path: Path, exports: list[dict[str, Any]]
) -> None:
    plant = tmp_path / "plant"
    assert uns("init", plant, "--protocol", "s7", "--url", "tcp://10.0.0.5:102")[0] == 0
    file = next(file for file in plant.glob("*.yaml") if "protocol: s7" in file.read_text(encoding="utf-8"))
    model = yaml.safe_load(file.read_text(encoding="utf-8"))
    (name,) = model["connectors"]
    model["connectors"][name]["config"]["plcs"][0] |= {"slot": 2, "exports": exports}
    file.write_text(yaml.safe_dump(model), encoding="utf-8")
    table = tmp_path / "tags.csv"
    code, _, err = uns("connector", "browse", "s7", name, "--plant", plant, "--csv", table)
    assert code == 0, err
    assert "Good Parts" in table.read_text(encoding="utf-8")
    read = S7Config.model_validate(load(plant, {}).connectors[name].config)
    chosen = [
        Found("I0.3", "Start", None, "bool"),
        Found("DB10.DBB34", "Name", None, "string(16)"),
        Found("DB10.DBD14", "Temps", None, "real[4]", description="°C"),
    ]
    written = S7Config.model_validate(yaml.safe_load(listing(read, {PATH: chosen})))
    assert (written.plcs[0].slot, len(written.plcs[0].exports)) == (2, 2)
    assert {(point.tag, point.type, point.byte, point.length) for _, point in written.points(written.plcs[0])} == {
        ("Start", "bool", 0, 0),
        ("Name", "string", 34, 16),
        *((f"Temps.{number}", "real", 14 + 4 * number, 0) for number in range(4)),
    }
