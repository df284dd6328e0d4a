"""The usual message read at once, beside the careful reading by Python's json: the same readings, or none."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.base import Reading
from connectors.kit.message import PAYLOAD_MAX_BYTES
from connectors.kit.payloads import BadPayload, told
from connectors.kit.plain import plain
from connectors.kit.shape import Shape
from schemas.records import Sample
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
AT = 1_795_413_600_000
SHAPE = Shape()


def read(payload: bytes, shape: Shape = SHAPE) -> list[Reading] | None:
    return plain(shape, PATH, payload, PAYLOAD_MAX_BYTES)


def carefully(payload: bytes) -> list[Reading] | None:
    """None where anything is wrong."""
    try:
        values = list(told(SHAPE, None, payload, PAYLOAD_MAX_BYTES))
    except (BadPayload, RecursionError):
        return None
    if any(isinstance(value, BadPayload) for value in values):
        return None
    return [
        Reading(PATH, Sample(v.tag, v.at or 0, v.value, v.quality)) for v in values if not isinstance(v, BadPayload)
    ]


def agrees(payload: bytes) -> bool:
    """Whether it was read at once; what was is as the careful reading says, of the same types."""
    at_once = read(payload)
    if at_once is not None:
        assert repr(at_once) == repr(carefully(payload))
    return at_once is not None


@pytest.mark.parametrize(
    "payload",
    [
        '{"at": 1795413600000, "values": {"A": 1, "B": 2.5, "C": true, "D": null, "E": "on"}}',
        '{"at": 1795413600000.5, "values": {"A": -0, "B": 1e2, "C": 9223372036854775807}, "quality": 1073741824}',
        '{"values": {"a:b": "c:d:e"}, "at": "2026-11-23T06:00:00Z"}',
        '{"at": "1795413600000", "values": {}}',
    ],
)
def test_what_is_usual_is_read_at_once(payload: str) -> None:
    assert agrees(payload.encode())


@pytest.mark.parametrize(
    "payload",
    [
        '{"at": 1795413600000, "values": {"A": 1, "A": 2}}',
        '{"at": 1795413600000, "at": 1795413600001, "values": {"A": 1}}',
        '{"at": 1795413600000, "values": {"A": 1}, "values": {"A": 2}}',
        '{"at": 1795413600000, "values": {"A": "\\u003a", "B": 1, "B": 2}}',
        '{"at": 1795413600000, "values": {"A": 1e999}}',
        '{"at": 1795413600000, "values": {"A": NaN}}',
        '{"at": 1795413600000, "values": {"A": 9223372036854775808}}',
        '{"at": 1795413600000, "values": {"": 1}}',
        '{"at": 1795413600000, "values": {"A": [1]}}',
        '{"at": 1795413600000, "values": {"A": 1}, "quality": -1}',
        '{"at": 1795413600000, "values": {"A": 1}, "quality": true}',
        '{"at": 1795413600, "values": {"A": 1}}',
        '{"values": {"A": 1}}',
        '{"samples": []}',
    ],
)
def test_what_has_to_be_judged_is_left_to_the_careful_reading(payload: str) -> None:
    assert read(payload.encode()) is None


def test_text_numbers_are_left_to_it() -> None:
    assert read(b'{"at": 1795413600000, "values": {"A": "1"}}', Shape(text_numbers=True)) is None


_LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
_TAGS = st.text(max_size=4) | st.sampled_from(["A", "B", "a:b", "\\", '"'])
_MESSAGES = st.fixed_dictionaries(
    {"at": st.integers(AT - 5, AT + 5) | _LEAVES, "values": st.dictionaries(_TAGS, _LEAVES | st.lists(_LEAVES), max_size=4)},
    optional={"quality": st.integers(-1, 2**33) | _LEAVES, "more": _LEAVES},
)  # fmt: skip


@given(_MESSAGES, st.booleans())
def test_any_message_is_read_the_same_or_not_at_once(message: object, ascii_only: bool) -> None:
    text = json.dumps(message, ensure_ascii=ascii_only)
    agrees(text.encode("utf-8", "surrogatepass"))


@given(_MESSAGES, st.data())
def test_so_is_one_with_bytes_changed(message: object, data: st.DataObject) -> None:
    payload = bytearray(json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    for place in data.draw(st.lists(st.integers(0, len(payload) - 1), max_size=4)):
        payload[place] = data.draw(st.sampled_from(b'{}":,\\ 09-.eE\xed\xa0\x80\x00A'))
    agrees(bytes(payload))


@given(st.lists(st.tuples(st.sampled_from(["A", "B", "at", "values", "a:"]), st.sampled_from(["1", '":"', '"\\u003a"'])), max_size=5))  # fmt: skip
@example([("A", "1"), ("A", '":"')])
def test_so_is_one_in_which_names_stand_twice(members: list[tuple[str, str]]) -> None:
    inside = ",".join(f"{json.dumps(name)}:{value}" for name, value in members)
    agrees(f'{{"at":{AT},"values":{{{inside}}}}}'.encode())
