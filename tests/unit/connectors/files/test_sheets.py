"""Excel workbooks and Parquet files: typed cells, read whole once they are complete, each row once."""

import io
import zipfile
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from connectors.base import Reading
from connectors.files import sheets, whole
from connectors.files.codec import BadHeader
from connectors.files.config import FileSet
from connectors.files.sheets import sheet_rows
from schemas.records import Inspection
from tests.unit.connectors.files.driver import PLACE, Driver

AT = 1_795_413_600_000_000
EXCEL: dict[str, Any] = {
    "pattern": "*.xlsx",
    "format": "excel",
    "settle_s": 0.1,
    "path": PLACE,
    "at": "{Datum} {Zeit}",
    "zone": "Europe/Berlin",
}
PARQUET: dict[str, Any] = {**EXCEL, "pattern": "*.parquet", "format": "parquet", "at": "at", "zone": None}


def workbook(rows: list[list[Any]], sheet: str = "Export") -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for row in rows:
        page.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def parquet(columns: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def test_a_workbook_with_a_title_notes_formulas_and_errors(tmp_path: Path) -> None:
    driver = Driver(tmp_path, {**EXCEL, "sheet": "Export", "skip_lines": 1, "texts": ["Charge"]})
    day = date(2026, 11, 23)
    rows: list[list[Any]] = [
        ["Prüfprotokoll"],
        ["Datum", "Zeit", "Druck", "Charge", "Läuft", None],
        [day, time(7), 1.5, "007", True, "a note"],
        [],
        [day, time(7, 0, 1), "=1/0", 8, None],
        [day, time(7, 0, 2), "#DIV/0!", None, None],
        [None, time(7), 1, None, None],
    ]
    driver.write("a.xlsx", workbook(rows))
    driver.write("~$a.xlsx", b"Excel's own lock")
    read = driver.read(lambda read: len(read.said) == 6)
    samples = [thing.sample for thing in read.said if isinstance(thing, Reading)]
    assert [(sample.tag, sample.at, sample.value) for sample in samples] == [
        ("Druck", AT, 1.5),
        ("Charge", AT, "007"),
        ("Läuft", AT, True),
        ("Charge", AT + 1_000_000, 8),  # the formula was never computed: its cell is empty
    ]
    assert [(bad.origin, bad.reason) for bad in read.malformed] == [("a.xlsx:6", "bad_value"), ("a.xlsx:7", "bad_time")]
    assert driver.read(idle_s=0.4).said == []


def test_a_workbook_is_read_on_in_the_middle_and_anew_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "BATCH_MAX", 5)
    driver = Driver(tmp_path, {**EXCEL, "at": "at"})
    rows: list[list[Any]] = [["at", "n"], *([datetime(2026, 11, 23, 7, 0, n), n] for n in range(12))]
    driver.write("a.xlsx", workbook(rows), "wb")
    driver.read(lambda read: len(read.values) == 12, safe=lambda batch: batch.readings[0].sample.value == 0)
    assert driver.read(lambda read: len(read.values) == 7).values == list(range(5, 12))
    driver.write("a.xlsx", workbook([*rows, [datetime(2026, 11, 23, 8), 99]]), "wb")
    assert driver.read(lambda read: len(read.values) == 13).values == [*range(12), 99]


def test_inspections_of_parquet_with_typed_columns(tmp_path: Path) -> None:
    fields = {"id": "{part.serial}-{no}", "characteristic": "what", "at": "at", "value": "value"}
    driver = Driver(tmp_path, {**PARQUET, "row": "inspection", "at": None, "fields": fields})
    table = {
        "no": pyarrow.array([1, 2], pyarrow.int8()),
        "part": [{"serial": 4711}, {"serial": 4712}],
        "what": pyarrow.array(["torque", "torque"]).dictionary_encode(),
        "at": pyarrow.array([AT * 1000 + 7, AT * 1000], pyarrow.timestamp("ns", "UTC")),
        "value": [Decimal("1.25"), None],
    }
    driver.write("a.parquet", parquet(table))
    read = driver.read(lambda read: len(read.said) == 2)
    assert read.facts == [Inspection(id="4711-1", characteristic="torque", at=AT, value=1.25)]
    assert [bad.reason for bad in read.malformed] == ["bad_fact"]


def test_nan_is_nothing_and_a_list_is_by_its_places(tmp_path: Path) -> None:
    driver = Driver(tmp_path, PARQUET)
    driver.write(
        "a.parquet", parquet({"at": [datetime(2026, 11, 23, 6, tzinfo=UTC)], "x": [float("nan")], "l": [[1, 2]]})
    )
    read = driver.read(lambda read: len(read.said) == 2)
    assert [thing.sample.tag for thing in read.said if isinstance(thing, Reading)] == ["l.0", "l.1"]


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", bytes(50_000_000))
    return file.getvalue()


@pytest.mark.parametrize(
    ("options", "data", "words"),
    [
        (EXCEL, b"PK no zip", "no .xlsx workbook"),
        (EXCEL, workbook([["Datum"], [1]]), "lacks 'Zeit'"),
        ({**EXCEL, "sheet": "Data"}, workbook([]), "no sheet 'Data', but 'Export'"),
        (EXCEL, workbook([["Datum", "Zeit"], [1, 2]])[:-30], "no .xlsx workbook"),
        (PARQUET, b"PAR1 and nothing", "no Parquet file"),
        (PARQUET, parquet({"x": [1]}), "lacks 'at'"),
    ],
)
def test_what_cannot_be_read_is_named(options: dict[str, Any], data: bytes, words: str) -> None:
    with pytest.raises(BadHeader, match=words):
        list(sheet_rows(data, FileSet.model_validate(options)))


def test_a_small_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "UNPACKED_MAX_BYTES", 10_000_000)
    with pytest.raises(BadHeader, match="unpacked it has 50000000 bytes"):
        list(sheet_rows(bomb(), FileSet.model_validate(EXCEL)))


@pytest.mark.parametrize(
    "made", [workbook([["Datum", "Zeit", "x"], [1, 2, 3]]), parquet({"at": [AT], "x": ["ä" * 500]})]
)
def test_damage_anywhere_is_named_and_ends_nothing(made: bytes) -> None:
    entry = FileSet.model_validate(EXCEL if made.startswith(b"PK") else PARQUET)
    for place in range(0, len(made), max(1, len(made) // 150)):
        damaged = made[:place] + bytes([made[place] ^ 0x5A]) + made[place + 1 :]
        try:
            list(sheet_rows(damaged, entry))
        except BadHeader as error:
            str(error).encode()


def test_too_large_a_file_and_one_that_grows(tmp_path: Path) -> None:
    driver = Driver(tmp_path, {**EXCEL, "file_max_mb": 1})
    driver.write("a.xlsx", bytes(1_000_001))
    driver.read(problem="it has 1000001 bytes; `file_max_mb` allows 1000000")
    with pytest.raises(ValueError, match="cannot be read while it grows"):
        FileSet.model_validate({**EXCEL, "complete": "growing"})
