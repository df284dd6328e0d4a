"""Names that lead nowhere else, and lines that every reader takes for what was meant."""

import csv
import io
import json
import math
import re
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.files.config import FileSet
from sinks.files.lines import Unfit, beginning, line
from sinks.files.names import checked_name, file_name, name_of
from uns.testing.text import TEXTS

UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
AT = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)


def test_a_row_belongs_to_its_place_and_its_day() -> None:
    row = {"path": "acme/dallas/packaging/line-1/filler", "started_at": AT}
    assert name_of("{enterprise}/{site}-{area}/{line}.{cell}/{record} {day}", "oee", row, BERLIN) == (
        "acme/dallas-packaging/line-1.filler/oee 2026-07-01"
    )
    assert name_of("{record}-{hour}", "oee", row, UTC_ZONE) == "oee-2026-06-30T22"
    assert name_of("{record}-{month}", "samples", {"path": "acme", "at": AT}, UTC_ZONE) == "samples-2026-06"
    assert name_of("{site}-{day}", "x", {"path": "acme"}, UTC_ZONE) == "none-none"
    assert file_name("a/b", 42, "csv") == "a/b.00000042.csv"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{sight}/x", "there is no {sight}; did you mean 'site'?"),
        ("../x", "begins with a dot"),
        ("a/../x", "begins with a dot"),
        (".hidden", "begins with a dot"),
        ("/etc/x", "no part of it is empty"),
        ("a//b", "no part of it is empty"),
        ("", "no part of it is empty"),
        ("{site", "a brace"),
        ("a\\b", "a backslash"),
        ("a\nb", "a control character"),
    ],
)
def test_a_name_that_leads_out_of_the_folder_is_refused(template: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        checked_name(template)


@given(st.lists(TEXTS, max_size=6))
def test_whatever_the_path_is_the_file_is_below_the_folder(levels: list[str]) -> None:
    made = name_of("{enterprise}/{site}/{area}-{line}/{cell}", "oee", {"path": "/".join(levels), "at": AT}, UTC_ZONE)
    parts = PurePosixPath(made).parts
    assert len(parts) == 4
    assert not [part for part in parts if part.startswith(".") or "\x00" in part]
    assert max(len(part.encode()) for part in PurePosixPath(file_name(made, 1, "parquet.part")).parts) <= 255


def files(**more: Any) -> FileSet:
    return FileSet.model_validate({"record": "oee", **more})


CELLS = st.none() | st.integers() | st.booleans() | TEXTS | st.floats() | st.just(AT)
FORMS = st.sampled_from(
    [{}, {"delimiter": ";", "decimal": ","}, {"delimiter": "\t"}, {"delimiter": "|", "encoding": "utf-16"}]
)


@given(st.lists(CELLS, min_size=1, max_size=6), FORMS)
def test_csv_is_read_back_by_another_reader(values: list[Any], form: dict[str, Any]) -> None:
    known = files(**form)
    names = [f"c {n}" for n in range(len(values))]
    try:
        written = beginning(known, names) + line(known, names, values)
    except Unfit:
        assert any("\ud800" <= letter < "\ue000" for value in values if isinstance(value, str) for letter in value)
        return
    text = written.decode(known.encoding)
    assert text.endswith("\r\n")
    head, row = csv.reader(io.StringIO(text, newline=""), delimiter=known.delimiter, strict=True)
    assert head == names
    for value, cell in zip(values, row, strict=True):
        if isinstance(value, str):
            assert cell == value
        elif isinstance(value, float) and not math.isnan(value):
            assert float(cell.replace(known.decimal, ".")) == value
        elif isinstance(value, datetime):
            assert datetime.fromisoformat(cell) == value
        elif value is None:
            assert cell == ""


@given(st.lists(CELLS | st.lists(TEXTS | st.floats(), max_size=2), min_size=1, max_size=6))
def test_a_line_of_json_is_one_line(values: list[Any]) -> None:
    known = files(format="jsonl")
    names = [f"c{n}" for n in range(len(values))]
    try:
        written = line(known, names, values)
    except Unfit:
        return
    assert written.count(b"\n") == 1
    found = json.loads(written, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert [found[name] for name, value in zip(names, values, strict=True) if isinstance(value, str | int)] == [
        value for value in values if isinstance(value, str | int)
    ]


def test_nothing_is_told_from_an_empty_text() -> None:
    assert line(files(), ["a", "b"], [None, ""]) == b',""\r\n'
    assert line(files(), ["a"], [float("-inf")]) == b"-Infinity\r\n"
