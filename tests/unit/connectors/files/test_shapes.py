"""What stands in files: tables as German Excel, loggers, MES and QMS write them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Malformed, Reading
from connectors.files.codec import TextDecoder
from connectors.files.config import FileSet, matcher
from connectors.files.lines import RECORD_MAX_BYTES, Text, records
from schemas.records import Order
from tests.unit.connectors.files.driver import LONG, Driver

GERMAN: dict[str, object] = {
    "pattern": "*.csv",
    "encoding": "cp1252",
    "delimiter": ";",
    "decimal": ",",
    "thousands": ".",
    "path": "acme/dallas/packaging/{Linie}/{Maschine}",
    "levels": "spelled",
    "at": "{Datum} {Uhrzeit}",
    "time_format": "%d.%m.%Y %H:%M:%S",
    "zone": "Europe/Berlin",
    "words": {"EIN": True, "---": None},
    "texts": ["Charge"],
}
TABLE = (
    "Datum;Uhrzeit;Linie;Maschine;Druck [bar];Zähler;Läuft;Charge;\r\n"
    "23.11.2026;07:00:00;Linie 1;Füller;1.234,5;1.000;EIN;007;\r\n"
    '23.11.2026;07:00:01;Linie 1;Füller;---;;EIN;"a;\r\nb";\r\n'
)
AT = 1_795_413_600_000_000


def said(options: dict[str, object], data: bytes) -> list[object]:
    decoder = TextDecoder(FileSet.model_validate(options), "line-1/log.csv")
    begun = decoder.begin(data, last=True)
    assert begun is not None
    start, line = begun
    things: list[object] = []
    for record in records(data[start:], decoder.text, last=True):
        things += decoder.said(record, line + 1)
        line += record.lines
    return things


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
def test_a_table_as_german_excel_writes_it(encoding: str) -> None:
    """The byte order mark of the two others counts more than the option."""
    read = said(GERMAN, TABLE.encode(encoding))
    assert all(isinstance(thing, Reading) for thing in read), read
    samples = [thing.sample for thing in read if isinstance(thing, Reading)]
    assert {str(thing.path) for thing in read if isinstance(thing, Reading)} == {"acme/dallas/packaging/linie-1/fuller"}
    assert [(sample.tag, sample.value) for sample in samples if sample.at == AT] == [
        ("Druck [bar]", 1234.5),
        ("Zähler", 1000),
        ("Läuft", True),
        ("Charge", "007"),
    ]
    assert [(sample.tag, sample.value) for sample in samples if sample.at == AT + 1_000_000] == [
        ("Läuft", True),
        ("Charge", "a;\nb"),
    ]


def test_bad_rows_are_named_by_file_line_and_column_and_the_rest_goes_on(tmp_path: Path) -> None:
    data = (
        b"at,tag,value\n"
        b"2026-11-23T06:00:00Z,State,1\n"
        b"23.11.2026,State,2\n"
        b"2026-11-23T06:00:01Z,State\n"
        b"2026-11-23T06:00:02Z,Stat\xe9,3\n"
        b'2026-11-23T06:00:03Z,"State,4\n' + b"x" * 30 + b"\n2026-11-23T06:00:04,State,5\n"
        b'2026-11-23T06:00:05Z,5" pipe,6\n'
        b"at,tag,value\n"
        b"\n"
        b"2026-11-23T06:00:06Z,State,7\n"
    )
    read = said({**LONG, "pattern": "*"}, data)
    bad = [(thing.origin, thing.reason) for thing in read if isinstance(thing, Malformed)]
    assert bad == [
        ("line-1/log.csv:3", "bad_time"),
        ("line-1/log.csv:4", "bad_row"),
        ("line-1/log.csv:5", "bad_text"),
        ("line-1/log.csv:6", "bad_row"),
        ("line-1/log.csv:7", "bad_row"),
        ("line-1/log.csv:8", "bad_time"),
    ]
    assert [(thing.sample.tag, thing.sample.value) for thing in read if isinstance(thing, Reading)] == [
        ("State", 1),
        ('5" pipe', 6),
        ("State", 7),
    ]
    payloads = [thing.payload for thing in read if isinstance(thing, Malformed)]
    assert payloads[2] == b"2026-11-23T06:00:02Z,Stat\xe9,3\n"


def test_orders_of_json_lines_and_the_place_of_the_file(tmp_path: Path) -> None:
    driver = Driver(
        tmp_path,
        {
            "pattern": "*/orders.jsonl",
            "format": "json_lines",
            "row": "order",
            "path": "acme/dallas/packaging/{folder}",
            "fields": {
                "id": "{order.number}-{order.operation}",
                "product": "material",
                "started_at": "start",
                "planned_quantity": "quantity",
            },
        },
    )
    line = '{"order": {"number": 4711, "operation": "10"}, "material": "cola", "start": "2026-11-23T06:00:00Z", "quantity": 100.0}\n'
    driver.write("line-1/orders.jsonl", line + "{\n" + '{"material": "cola"}\n')
    read = driver.read(lambda read: len(read.said) == 3)
    assert read.facts == [Order(id="4711-10", product="cola", started_at=AT, planned_quantity=100)]
    assert [bad.reason for bad in read.malformed] == ["bad_json", "bad_row"]


def test_a_line_that_is_too_long_is_cut_and_what_follows_is_read(tmp_path: Path) -> None:
    driver = Driver(tmp_path, {**LONG, "pattern": "*.csv"})
    driver.write("a.csv", b"at,tag,value\n" + b"x" * (2 * RECORD_MAX_BYTES) + b"\n2026-11-23T06:00:00Z,State,1\n")
    read = driver.read(lambda read: bool(read.values))
    assert read.values == [1]
    assert [bad.reason for bad in read.malformed] == ["too_large"]


def test_names_and_patterns() -> None:
    wide = matcher("line-*/log-??.csv")
    assert wide.fullmatch("line-1/log-07.csv")
    assert not wide.fullmatch("line-1/log-7.csv")
    assert not wide.fullmatch("line-1/old/log-07.csv")
    deep = matcher("**/*.csv")
    assert deep.fullmatch("a.csv")
    assert deep.fullmatch("b/c/a.csv")
    assert not deep.fullmatch("a.csv.tmp")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pattern": "../x"}, "no pattern below the folder"),
        ({"encoding": "utf-7"}, "is not read here"),
        ({"encoding": "klingon"}, "is no encoding"),
        ({"delimiter": '"'}, "cannot be the delimiter"),
        ({"columns": ["at", "tag"]}, "lacks value"),
        ({"columns": ["at", "at"]}, "stands twice"),
        ({"at": None}, "none is invented"),
        ({"tag": None}, "long rows need"),
        ({"decimal": ",", "thousands": ","}, "are the same"),
        ({"time_format": "%H:%M"}, "no whole date"),
        ({"row": "order"}, "are of tags"),
        ({"zone": "Mars/Base"}, "no time zone"),
        ({"quality": "q", "qualities": {"x": -1}}, "status code"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FileSet.model_validate({**LONG, "pattern": "*.csv", **options})


PIECES = st.lists(st.sampled_from(['"', "\n", "\r\n", ";", "a", "ä", '""', '"x\ny"', ";;"]), max_size=30)


@given(
    PIECES, st.lists(st.integers(1, 12), max_size=12), st.sampled_from(["utf-8", "cp1252", "utf-16-le", "utf-16-be"])
)
def test_how_a_file_grew_makes_no_difference(pieces: list[str], sizes: list[int], encoding: str) -> None:
    text = Text(encoding, ";", '"')
    data = "".join(pieces).encode(encoding)
    at_once = [record.data for record in records(data, text)]
    assert data.startswith(b"".join(at_once))
    read: list[bytes] = []
    start = end = 0
    for size in [*sizes, len(data)]:
        end = min(len(data), end + size * len(text.newline))
        for record in records(data[start:end], text):
            read.append(record.data)
            start += record.used
    assert read == at_once
    assert b"".join(record.data for record in records(data, text, last=True)) == data


@given(st.binary(max_size=60), st.sampled_from(["utf-8", "utf-16-le", "shift_jis"]), st.booleans(), st.booleans())
def test_whatever_bytes_stand_there_are_cut_without_a_rest(
    data: bytes, encoding: str, skipping: bool, quoted: bool
) -> None:
    text = Text(encoding, ",", '"' if quoted else "")
    assert sum(record.used for record in records(data, text, skipping, last=True)) == len(data)
