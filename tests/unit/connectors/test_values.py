"""The rule of docs/values.md: one value, whichever protocol says it, is one thing."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua

from connectors.base import Reading, Said
from connectors.http.codec import PRECISIONS, decode_lines
from connectors.http.config import Lines
from connectors.kit.message import said
from connectors.kit.shape import Shape
from connectors.opcua.codec import decode
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
AT = 1_795_413_600_000_000
WHEN = datetime.fromtimestamp(AT / 1e6, UTC)
BAD_VALUE = "bad_value"
BAD_QUALITY = 0x808C0000
KINDS = ua.VariantType


def outcome(things: list[Said]) -> Any:
    """The value, or the reason."""
    (thing,) = things
    return thing.sample.value if isinstance(thing, Reading) else getattr(thing, "reason", None)


def of_json(text: str, quality: int = 0) -> Any:
    values = f'{{"at": {AT // 1000}, "quality": {quality}, "values": {{"T": {text}}}}}'
    sample = f'{{"samples": [{{"tag": "T", "at": {AT // 1000}, "quality": {quality}, "value": {text}}}]}}'
    first = outcome(said(Shape(), "topic", PATH, values.encode()))
    assert repr(first) == repr(outcome(said(Shape(), "topic", PATH, sample.encode())))
    return first


def of_line(text: str) -> Any:
    return outcome(decode_lines(Lines(path=str(PATH)), PATH, f"m T={text} {AT}".encode(), PRECISIONS["us"], 0))


def of_ua(value: Any, kind: ua.VariantType, quality: int = 0) -> Any:
    data = ua.DataValue(ua.Variant(value, kind), StatusCode=ua.StatusCode(ua.UInt32(quality)), SourceTimestamp=WHEN)
    return outcome([part.said for part in decode(PATH, "T", "i=1", data)])


@pytest.mark.parametrize(
    ("expected", "text", "line", "value", "kind"),
    [
        (True, "true", "t", True, KINDS.Boolean),
        (2**63 - 1, str(2**63 - 1), f"{2**63 - 1}i", 2**63 - 1, KINDS.UInt64),
        (-(2**63), str(-(2**63)), f"{-(2**63)}i", -(2**63), KINDS.Int64),
        (BAD_VALUE, str(2**63), f"{2**63}u", 2**63, KINDS.UInt64),
        (1.5, "1.5", "1.5", 1.5, KINDS.Double),
        (BAD_VALUE, "NaN", "nan", float("nan"), KINDS.Double),
        (BAD_VALUE, "1e999", "1e999", float("inf"), KINDS.Float),
        (BAD_VALUE, "-Infinity", "-inf", float("-inf"), KINDS.Double),
        ("ä", '"ä"', '"ä"', "ä", KINDS.String),
        ("", '""', '""', "", KINDS.String),
    ],
)
def test_one_value_is_one_thing(expected: Any, text: str, line: str, value: Any, kind: ua.VariantType) -> None:
    read = [of_json(text), of_line(line), of_ua(value, kind)]
    assert [(type(one), one) for one in read] == [(type(expected), expected)] * 3


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
def test_what_cannot_be_counted_with_is_nothing_beside_a_bad_quality(text: str) -> None:
    assert of_json(text, BAD_QUALITY) is None
    assert of_json(text, 0x40000000) == BAD_VALUE
    assert of_ua(float("nan"), KINDS.Double, BAD_QUALITY) is None


def test_parts_have_the_same_tags_from_json_as_from_opc_ua() -> None:
    document = {"Grid": [[1, 2], [3, 4]], "Range": {"Low": 1.0, "High": 2.0}, "None": []}
    shape = Shape(payload="object")
    told = said(shape, "topic", PATH, json.dumps(document).encode(), AT)
    of_json = [(thing.sample.tag, thing.sample.value) for thing in told if isinstance(thing, Reading)]
    of_ua: list[Any] = []
    for tag, value in (("Grid", ua.Variant([[1, 2], [3, 4]])), ("Range", ua.Variant(ua.Range(1.0, 2.0))), ("None", ua.Variant([], KINDS.Int32))):  # fmt: skip
        parts = decode(PATH, tag, "i=1", ua.DataValue(value, SourceTimestamp=WHEN))
        of_ua += [(part.tag, part.said.sample.value) for part in parts if isinstance(part.said, Reading)]
    assert of_json == of_ua


def test_a_name_that_stands_twice_is_no_message() -> None:
    twice = f'{{"at": {AT // 1000}, "values": {{"T": 1, "T": 2}}}}'
    assert outcome(said(Shape(), "topic", PATH, twice.encode())) == "bad_json"
