"""Addresses as they are written, and which requests bring them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.wire import Garbled, Refused
from connectors.s7.address import SIZES, Place, Point, place
from connectors.s7.answer import READ, Answer, items, parse
from connectors.s7.blocks import ITEMS_MAX, Span, groups, room, spans, split
from connectors.s7.config import S7Config, Tag
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("DB1.DBX0.3", ("DB", 1, 0, 3, 0)),
        ("%DB20.DBW6", ("DB", 20, 6, 0, 2)),
        ("db65535.dbd4", ("DB", 65_535, 4, 0, 4)),
        ("M10.1", ("M", 0, 10, 1, 0)),
        ("%MX10.1", ("M", 0, 10, 1, 0)),
        ("MW20", ("M", 0, 20, 0, 2)),
        ("E0.7", ("I", 0, 0, 7, 0)),
        ("AB4", ("Q", 0, 4, 0, 1)),
        ("QD4", ("Q", 0, 4, 0, 4)),
    ],
)
def test_addresses(text: str, meant: tuple[Any, ...]) -> None:
    assert place(text) == Place(*meant)


@pytest.mark.parametrize(
    "text",
    ["", "DB1", "DB1.DBX0", "DB1.DBW0.1", "M10.8", "M10", "DB70000.DBB0", "MB65536", "T5", "DB1.DBB-1", "DB1.DBL0"],
)
def test_what_is_no_address_is_said_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|a bit has|beyond"):
        place(text)


@pytest.mark.parametrize(
    "tag",
    [
        {"address": "DB1.DBW0", "type": "dint"},
        {"address": "DB1.DBW0", "type": "bool"},
        {"address": "M1.1", "type": "int"},
        {"address": "DB1.DBB0", "type": "string"},
        {"address": "DB1.DBB0", "type": "string", "length": 255},
        {"address": "DB1.DBW0", "length": 4},
        {"address": "DB1.DBD65533"},
        {"address": "DB1.DBD65530", "count": 4},
    ],
)
def test_tags_that_cannot_be_are_refused(tag: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Tag.model_validate(tag)


def test_arrays() -> None:
    bits = Tag.model_validate({"address": "DB1.DBX0.6", "count": 4}).points(PATH, "On")
    assert [(point.tag, point.byte, point.bit) for point in bits] == [
        ("On.0", 0, 6),
        ("On.1", 0, 7),
        ("On.2", 1, 0),
        ("On.3", 1, 1),
    ]
    texts = Tag.model_validate({"address": "DB1.DBB10", "type": "string", "length": 5, "count": 2}).points(PATH, "T")
    assert [point.byte for point in texts] == [10, 18], "texts begin at even bytes"
    assert [point.byte for point in Tag.model_validate({"address": "MB3", "count": 3}).points(PATH, "B")] == [3, 4, 5]


@st.composite
def some_points(draw: st.DrawFn) -> list[Point]:
    kinds = st.sampled_from([*SIZES, "string"])
    return [
        Point(
            PATH,
            str(number),
            draw(st.sampled_from(["DB", "M"])),
            draw(st.integers(1, 2)),
            draw(st.integers(0, 300)),
            0,
            draw(kinds),
            draw(st.integers(1, 254)),
        )
        for number in range(draw(st.integers(1, 60)))
    ]


@given(some_points(), st.integers(0, 40), st.sampled_from([112, 240, 480, 960]))
def test_every_point_is_asked_for_once_and_answers_fit(points: list[Point], gap: int, pdu: int) -> None:
    made = groups(points, gap, pdu)
    assert sorted(point.tag for group in made for point in group.points) == sorted(point.tag for point in points)
    for group in made:
        assert len(group.items) <= ITEMS_MAX
        for span in group.items:
            for point in span.points:
                assert (point.area, point.db) == (span.area, span.db)
                assert span.start <= point.byte < point.end <= span.start + span.count
        if all(point.size <= room(pdu) for span in group.items for point in span.points):
            assert 14 + sum(4 + span.count + span.count % 2 for span in group.items) <= pdu
            assert 12 + 12 * len(group.items) + 2 <= pdu or len(group.items) == 1


@given(some_points())
def test_what_is_refused_is_split_until_it_stands_alone(points: list[Point]) -> None:
    waiting, alone = spans(points, 40, 900), []
    for _ in range(10 * len(points) + 10):
        if not waiting:
            break
        parts = split(waiting.pop())
        if len(parts) == 1 and len(parts[0].points) == 1:
            alone.append(parts[0].points[0].tag)
        else:
            assert len(parts) > 1
            waiting += parts
    assert sorted(alone) == sorted(point.tag for point in points)


@given(st.lists(st.binary(min_size=1, max_size=9) | st.sampled_from([0x05, 0x0A]), min_size=1, max_size=20))
def test_answers_are_taken_apart_as_they_were_put_together(parts: list[bytes | int]) -> None:
    raw = bytearray()
    for part in parts:
        raw += b"\0" * (len(raw) % 2)
        raw += (
            bytes([part, 0, 0, 0]) if isinstance(part, int) else b"\xff\x04" + (8 * len(part)).to_bytes(2, "big") + part
        )
    counts = [len(part) if isinstance(part, bytes) else 3 for part in parts]
    found = list(items(Answer(bytes([READ, len(counts)]), bytes(raw)), counts))
    assert [one for one in found if isinstance(one, bytes)] == [part for part in parts if isinstance(part, bytes)]
    assert [isinstance(one, Refusal) for one in found] == [isinstance(part, int) for part in parts]


@given(st.binary(max_size=60), st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_any_bytes_are_an_answer_or_none(raw: bytes, counts: list[int]) -> None:
    try:
        found = list(items(Answer(bytes([READ, len(counts)]), raw), counts))
    except Garbled:
        return
    assert all(isinstance(one, Refusal) or len(one) == count for one, count in zip(found, counts, strict=True))


@given(st.binary(max_size=40) | st.binary(max_size=30).map(lambda rest: b"\x32\x03" + rest))
def test_any_bytes_are_a_frame_or_none(came: bytes) -> None:
    try:
        answer = parse(came)
    except (Garbled, Refused):
        return
    assert came[12:] == answer.parameters + answer.data


def test_an_error_is_an_error_whatever_length_it_says() -> None:
    """The server of snap7 in C++ says that four bytes follow, and none do."""
    frame = bytes.fromhex("320300000007000200040000" + "0401" + "05000004")
    (refusal,) = items(parse(frame), [2])
    assert isinstance(refusal, Refusal)
    assert refusal.divisible


def test_machines_share_maps_and_have_their_own() -> None:
    config = S7Config.model_validate(
        {
            "plcs": [
                {
                    "url": "tcp://10.0.0.1",
                    "machines": [{"path": str(PATH), "map": "m", "tags": {"B": {"address": "MB7"}}, "period_s": 2}],
                }
            ],
            "maps": {"m": {"A": {"address": "MB1", "period_s": 9}, "B": {"address": "MB2"}}},
        }
    )
    found = {(period, point.tag, point.byte) for period, point in config.points(config.plcs[0])}
    assert found == {(9, "A", 1), (2, "B", 7)}
    assert config.plcs[0].called_tsap == 0x0301
    assert str(Span("DB", 1, 0, 2, (Point(PATH, "A", "DB", 1, 0, 0, "int"),))) == "DB1.DBW0"
