"""Samples and records as files: what is written is read back, whatever it is; a file is whole or not there."""

from pathlib import Path
from typing import Any

import pandas
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Kpi, Sample
from tests.harness.records import EXAMPLES, PATH, T
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from uns.client.frame import table
from uns.client.subscribe import Received
from uns.errors import UserError
from uns.export import columns
from uns.export.columns import FORMATS, TableFile, batches, flat

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8"), max_size=9),
)


@given(st.lists(st.tuples(VALUES, st.integers(0, 2**32 - 1)), max_size=20))
def test_no_value_is_rounded_or_mixed_up(told: list[tuple[Any, int]]) -> None:
    rows = [(PATH, Sample("t", T + number, value, quality), "plc") for number, (value, quality) in enumerate(told)]
    read = [row for batch in batches(rows) for row in batch.to_pylist()]
    assert len(read) == len(told)
    for row, (value, quality) in zip(read, told, strict=True):
        held = [
            row[name]
            for name in ("value_integer", "value_number", "value_text", "value_boolean")
            if row[name] is not None
        ]
        assert (held[0] if held else None) == value
        assert row["quality"] == quality


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "BATCH", 3)
    rows = ((PATH, Sample("t", T + number, number), "plc") for number in range(8))
    assert [batch.num_rows for batch in batches(rows)] == [3, 3, 2]
    assert [batch.num_rows for batch in batches([])] == [0]


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_written_is_read_back(tmp_path: Path, format_: str) -> None:
    rows = [(PATH, Sample("t", T + number, number), "plc") for number in range(5)]
    with TableFile(tmp_path / "new" / f"Samples.{format_}", format_) as file:
        for batch in batches(rows):
            file.write(batch)
    read = {
        "parquet": lambda: pyarrow.parquet.read_table(file.file).to_pandas(),
        "arrow": lambda: pyarrow.ipc.open_file(file.file).read_all().to_pandas(),
        "csv": lambda: pandas.read_csv(file.file, parse_dates=["at"]),
    }[format_]()
    assert list(read["value_number"]) == [0, 1, 2, 3, 4]
    assert str(read["at"][0]) == "2026-11-18 11:06:40+00:00"
    assert [each.name for each in (tmp_path / "new").iterdir()] == [f"Samples.{format_}"]


def test_a_file_that_is_not_whole_is_not_there(tmp_path: Path) -> None:
    def broken() -> None:
        with TableFile(tmp_path / "Samples.parquet", "parquet") as file:
            for batch in batches([(PATH, Sample("t", T, 1), "plc")]):
                file.write(batch)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be written"), TableFile(tmp_path / "taken" / "x.csv", "csv") as file:
        file.write(next(iter(batches([]))))


def test_nested_columns_are_json_in_csv() -> None:
    kpi = next(each for each in EXAMPLES if isinstance(each, Kpi))
    item = Received("t", 0, 0, Place.parse(PATH), MessageClass.KPI, 0, b"", kpi, None, ())
    made = flat(table(Kpi, [item])).to_pylist()[0]
    assert made["values"] == '{"oee": 0.5, "mtbf": null}'
    assert made["pieces"].startswith('[{"product": "cola"')
