"""Lines of InfluxDB to points, by the examples of its reference and by the fuzzer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Malformed, Reading
from connectors.http.codec import PRECISIONS, decode_lines
from connectors.http.config import Lines
from connectors.http.line_protocol import BadLine, Point, points
from schemas.records import Sample
from topology.namespace.path import Path

AT = 1_795_413_600_000_000
SITE = Path.parse("acme/dallas")


def one(text: str) -> Point:
    (point,) = points(text)
    assert isinstance(point, Point), point
    return point


@pytest.mark.parametrize(
    ("written", "value"),
    [("1", 1.0), ("-1.5e3", -1500.0), (".5", 0.5), ("12i", 12), ("-12i", -12), ("12u", 12), ("t", True), ("FALSE", False),
     ('"a b,c=d"', "a b,c=d"), (r'"a\"b\\c"', 'a"b\\c'), ('"two\nlines"', "two\nlines"), ('""', "")],
)  # fmt: skip
def test_every_type_of_field(written: str, value: object) -> None:
    field = one(f"m f={written} 1").fields["f"]
    assert (field, type(field)) == (value, type(value))


@pytest.mark.parametrize(
    "written", ["9223372036854775808i", "1e999", "nan", "inf", "x", "1x", "٣", "18446744073709551615u"]
)
def test_a_field_that_is_no_value_does_not_spoil_the_others(written: str) -> None:
    point = one(f"m good=1i,bad={written}")
    assert point.fields == {"good": 1}
    assert point.bad["bad"][0] == "bad_value"


def test_names_are_escaped() -> None:
    point = one(r"my\ m\,x,tag\ a=b\=c\,d,t2=ü fi\ eld\=1=2i 5")
    assert (point.measurement, point.tags) == ("my m,x", {"tag a": "b=c,d", "t2": "ü"})
    assert (point.fields, point.at) == ({"fi eld=1": 2}, 5)


def test_comments_and_empty_lines_say_nothing_and_a_bad_line_is_one() -> None:
    read = list(points("# c\n\n  m f=1\r\nnonsense\nm f=\nm,a f=1\nm f=2 3"))
    assert [type(thing) for thing in read] == [Point, BadLine, BadLine, BadLine, Point]


@pytest.mark.parametrize(
    ("written", "tag"),
    [(r"a\,", "a,"), (r"\=", "="), (r"a\\,b", "a\\,b"), (r"a\b", "a\\b"), (r"a\\b", "a\\\\b"), (r"a\ ", "a ")],
)
def test_a_backslash_in_a_name_escapes_a_separator_and_is_itself_before_anything_else(written: str, tag: str) -> None:
    point = one(f"m,t={written} {written}=1i 5")
    assert (point.tags, point.fields) == ({"t": tag}, {tag: 1})


@pytest.mark.parametrize("text", ["m f=1,", "m, f=1", "m f=1 1.5", 'm f="a', "m =1", ",a=b f=1"])
def test_what_is_no_line(text: str) -> None:
    assert [type(thing) for thing in points(text)] == [BadLine]


@given(st.text(st.sampled_from('ab,= "\\\n#1i.\r')) | st.text())
def test_nothing_that_is_written_raises_or_goes_on_for_ever(text: str) -> None:
    for thing in points(text):
        assert thing.line


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXT, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_what_a_client_writes_is_read_as_it_was(text: str, whole: int, real: float, truth: bool) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert one(f'm s="{escaped}",i={whole}i,f={real!r},b={truth} 7').fields == {"s": text, "i": whole, "f": real, "b": truth}  # fmt: skip


def test_points_have_paths_by_their_tags_below_the_token_only() -> None:
    lines = Lines(path="acme/{site}/packaging/{line}/{measurement}", levels="spelled", tag="{kind}.{field}")
    body = b"Filler,site=dallas,line=Line\\ 1,kind=k Good=17i 1795413600000\n"
    (reading,) = decode_lines(lines, SITE, body, PRECISIONS["ms"], 1)
    assert reading == Reading(Path.parse("acme/dallas/packaging/line-1/filler"), Sample("k.Good", AT, 17))
    (outside,) = decode_lines(lines, SITE, body.replace(b"dallas", b"austin"), PRECISIONS["ms"], 1)
    (nameless,) = decode_lines(lines, SITE, body.replace(b"line=", b"lin="), PRECISIONS["ms"], 1)
    (clock,) = decode_lines(lines, SITE, body, PRECISIONS["ns"], 1)
    (bytes_,) = decode_lines(lines, SITE, b"\xff", PRECISIONS["ns"], 1)
    bad = [thing.reason for thing in (outside, nameless, clock, bytes_) if isinstance(thing, Malformed)]
    assert bad == ["not_allowed", "no_path", "bad_time", "bad_text"]


def test_a_point_without_a_time_has_that_of_its_arrival() -> None:
    (reading,) = decode_lines(Lines(path="acme/dallas"), SITE, b"m f=1", PRECISIONS["ns"], AT)
    assert reading == Reading(SITE, Sample("f", AT, 1.0), "arrival")


@pytest.mark.parametrize(
    ("precision", "at"),
    [("", AT * 1000), ("n", AT * 1000), ("ns", AT * 1000), ("u", AT), ("us", AT), ("ms", AT // 1000), ("s", AT // 10**6),
     ("m", AT // (60 * 10**6)), ("h", AT // (3600 * 10**6))],
)  # fmt: skip
def test_a_time_counts_what_the_precision_says(precision: str, at: int) -> None:
    (reading,) = decode_lines(Lines(path="acme/dallas"), SITE, f"m f=1 {at}".encode(), PRECISIONS[precision], 1)
    assert reading == Reading(SITE, Sample("f", AT, 1.0))
