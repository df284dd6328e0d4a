"""The endless answer, cut anywhere."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mtconnect.multipart import BadStream, Multipart, boundary_of

PARTS = st.lists(
    st.binary(min_size=1, max_size=40).filter(lambda part: b"--mark" not in part and part.strip(b"\r\n") == part),
    max_size=6,
)


def written(parts: list[bytes], lengths: bool, before: bytes = b"") -> bytes:
    data = before
    for part in parts:
        length = b"Content-length: %d\r\n" % len(part) if lengths else b""
        data += b"--mark\r\nContent-type: text/xml\r\n" + length + b"\r\n" + part + b"\r\n"
    return data + b"--mark"


@given(PARTS, st.booleans(), st.data())
def test_parts_come_whole_wherever_the_stream_is_cut(parts: list[bytes], lengths: bool, data: st.DataObject) -> None:
    whole = written(parts, lengths, data.draw(st.sampled_from([b"", b"\r\n"])))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=8)))
    stream, read = Multipart(b"mark", 1_000), list[bytes]()
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        read += stream.feed(whole[begin:end])
    assert read == parts


def test_a_part_with_a_length_is_there_before_the_next_boundary() -> None:
    whole = written([b"<a/>"], True).removesuffix(b"\r\n--mark")
    assert list(Multipart(b"mark", 100).feed(whole)) == [b"<a/>"]


def test_a_part_may_hold_the_boundary_where_its_length_is_said() -> None:
    assert list(Multipart(b"mark", 100).feed(written([b"a\r\n--mark\r\nb", b"c"], True))) == [b"a\r\n--mark\r\nb", b"c"]


def test_the_last_boundary_ends_it() -> None:
    stream = Multipart(b"mark", 100)
    assert list(stream.feed(written([b"<a/>"], False) + b"--\r\nepilogue")) == [b"<a/>"]
    assert stream.ended


@pytest.mark.parametrize(
    "data",
    [
        b"<html>no boundary</html>",
        b"--mark\r\n" + b"x" * 9_000,
        b"--mark\r\nContent-length: 101\r\n\r\n",
        b"--mark\r\n\r\n" + b"x" * 9_000,
        b"--mark\r\nContent-length: 2\r\n\r\n<abc/>\r\n--mark",
    ],
)
def test_what_is_no_stream_or_too_large_is_refused(data: bytes) -> None:
    with pytest.raises(BadStream):
        list(Multipart(b"mark", 100).feed(data))


@given(st.binary(max_size=400))
def test_any_bytes_are_parts_or_refused(data: bytes) -> None:
    with suppress(BadStream):
        list(Multipart(b"mark", 100).feed(b"--mark\r\n" + data))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/x-mixed-replace;boundary=abc", b"abc"),
        ('multipart/mixed; charset=utf-8; Boundary="--abc"', b"--abc"),
        ("text/xml", None),
        ("multipart/mixed", None),
        ("", None),
    ],
)
def test_a_content_type_names_the_boundary(content_type: str, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


def test_a_boundary_that_is_announced_with_its_dashes() -> None:
    assert list(Multipart(b"--mark", 100).feed(written([b"<a/>"], True))) == [b"<a/>"]
