"""Values for PI points, what a point can hold, and what answers say."""

import json
from typing import Any

import pytest

from schemas.records import Oee, Sample, Samples
from sinks.base import Delivery
from sinks.kit.batches import Verdict
from sinks.kit.http import Answer
from sinks.pi.answer import NotForUs, judge
from sinks.pi.config import PiConfig
from sinks.pi.values import BAD_INPUT, NO_DATA, PiValue, Unfit, fitted, item, point_type, values
from tests.harness.records import EXAMPLES
from topology.namespace.classes import MessageClass

PATH = "acme/dallas"
T = 1_795_000_000_123_456
HOUR = next(each for each in EXAMPLES if isinstance(each, Oee))


def config(**more: Any) -> PiConfig:
    return PiConfig.model_validate({"url": "https://pi.example.com/piwebapi", "data_server": "PI1", **more})


def of(record: Any, key: str = PATH, **more: Any) -> list[PiValue | str]:
    return list(values(config(**more), Delivery("t", 0, 0, key, MessageClass.RAW, record, T)))


def test_points_are_named_by_path_and_tag_or_as_is_stated() -> None:
    found = of(
        Samples("plc", 1, (Sample("Speed", T, 1.5), Sample("On", T, True))),
        points={"acme/dallas/On": "X-1"},
        point_prefix="uns.",
    )
    assert found == [PiValue("uns.acme.dallas.Speed", T, 1.5), PiValue("X-1", T, True)]
    [refused] = of(Samples("plc", 1, (Sample("a;b", T, 1),)))
    assert isinstance(refused, str)
    assert "state one in `points`" in refused


def test_fields_of_derived_records_are_points_and_what_is_null_is_gone() -> None:
    found = of(HOUR, fields={"oee": ["oee", "element_us_APT", "order"]})
    assert [(each.value, each.gone) for each in found if isinstance(each, PiValue)] == [
        (0.4, False),
        (1, False),
        (None, True),
    ]
    assert found[0].point == f"{HOUR.path.replace('/', '.')}.oee-hour.oee"  # type: ignore[union-attr]
    assert of(HOUR) == []


@pytest.mark.parametrize(
    ("value", "its", "sent"),
    [
        (1.5, "Float64", 1.5),
        (3, "Float32", 3.0),
        (3, "Int32", 3),
        (3.0, "Int32", 3),
        (True, "Int16", 1),
        (True, "String", "true"),
        (3, "String", "3"),
        ("execute", "Digital", "execute"),
        (4, "Digital", 4),
        (False, "Digital", 0),
        ("ü", "String", "ü"),
        (None, "Float64", NO_DATA),
        (float("nan"), "Float64", BAD_INPUT),
        (float("inf"), "Int16", BAD_INPUT),
    ],
    ids=range(14),
)
def test_a_point_takes_what_it_can_hold(value: Any, its: str, sent: Any) -> None:
    assert fitted(value, its) == sent
    assert type(fitted(value, its)) is type(sent)


@pytest.mark.parametrize(
    ("value", "its"),
    [
        ("a", "Float64"),
        (1.5, "Int32"),
        (1.5, "Digital"),
        (2**53 + 1, "Float64"),
        ("x", "Timestamp"),
        (1, "Blob"),
        ("\ud800", "String"),
    ],
)
def test_nothing_is_rounded_or_cut_to_fit(value: Any, its: str) -> None:
    with pytest.raises(Unfit):
        fitted(value, its)


def test_a_value_says_its_time_and_quality() -> None:
    assert item(PiValue("p", T, 1.5, 0x40000000), "Float64") == {"Timestamp": "2026-11-18T11:06:40.123456Z", "Value": 1.5, "Good": False, "Questionable": True}  # fmt: skip
    assert [point_type(value) for value in (1, 1.5, True, "a")] == ["Float64", "Float64", "Int16", "String"]
    [refused] = of(Samples("plc", 1, (Sample("a", 2**63 - 1, 1),)))
    assert isinstance(refused, str)


def _status(*numbers: int) -> list[dict[str, Any]]:
    return [{"Substatus": number, "Message": f"words {number}"} for number in numbers]


@pytest.mark.parametrize(
    ("status", "body", "verdict", "guilty"),
    [
        (204, "", Verdict.TAKEN, {}),
        (
            207,
            {"Items": [{"Items": _status(204, 400)}, {"Items": _status(204)}]},
            Verdict.REFUSED,
            {1: "400 words 400"},
        ),
        (207, {"Items": _status(204, 204, 403)}, Verdict.REFUSED, {2: "403 words 403"}),
        (
            207,
            {"Items": [{"Substatus": 400, "Errors": ["a", "b"]}, *_status(204, 204)]},
            Verdict.REFUSED,
            {0: "400 a; b"},
        ),
        (207, {"Items": _status(204, 204, 204)}, Verdict.TAKEN, {}),
        (207, {"Items": _status(204, 500, 400)}, Verdict.FAILED, {}),
        (207, {"Items": _status(400)}, Verdict.REFUSED, {}),
        (207, "<html>", Verdict.REFUSED, {}),
        (400, {"Errors": ["malformed"]}, Verdict.REFUSED, {}),
        (409, {"Message": "unsupported"}, Verdict.REFUSED, {}),
        (400, "<html>", Verdict.FAILED, {}),
        (502, "<html>", Verdict.FAILED, {}),
        (200, "<form>", Verdict.FAILED, {}),
    ],
    ids=range(13),
)
def test_an_answer_is_judged(status: int, body: Any, verdict: Verdict, guilty: dict[int, str]) -> None:
    outcome = judge(Answer(status, {}, body if isinstance(body, str) else json.dumps(body)), 3)
    assert (outcome.verdict, dict(outcome.guilty)) == (verdict, guilty)


def test_a_buffer_is_no_proof() -> None:
    with pytest.raises(NotForUs, match="wait in a buffer"):
        judge(Answer(202), 3)
