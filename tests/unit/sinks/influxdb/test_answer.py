"""What answers of InfluxDB 1, 2 and 3 say of lines: as a real 1.6.7 gave them, and as InfluxData documents 2 and 3."""

import json
from typing import Any

import pytest

from sinks.base import Delivery
from sinks.influxdb.answer import NotForUs, judge
from sinks.kit.batches import Outcome, Row, Verdict
from sinks.kit.http import Answer
from topology.namespace.classes import MessageClass
from uns.testing.sinks import downtime


def rows(count: int = 4) -> list[Row]:
    stop = Delivery("t", 0, 0, "a", MessageClass.DOWNTIME, downtime(1), 0)
    # the later a row, the older the point
    return [Row(stop, ("m", 100 - n), f"m f={n}i {100 - n}", 10) for n in range(count)]


def of(status: int, body: Any = "", headers: dict[str, str] | None = None) -> Outcome:
    return judge(Answer(status, headers or {}, body if isinstance(body, str) else json.dumps(body)), rows())


CONFLICT = 'partial write: field type conflict: input field "f" on measurement "m" is type string, already exists as type float dropped=2'


@pytest.mark.parametrize(
    ("status", "body", "verdict", "guilty"),
    [
        (204, "", Verdict.TAKEN, []),
        (400, {"error": CONFLICT}, Verdict.REFUSED, []),
        (400, {"error": "partial write: unable to parse 'm f=1i 99': missing fields dropped=0"}, Verdict.REFUSED, [1]),
        (400, {"error": "unable to parse 'm f=1i 99': a\nunable to parse 'm f=3i 97': b"}, Verdict.REFUSED, [1, 3]),
        (400, {"error": "partial write: points beyond retention policy dropped=1"}, Verdict.PAST, [3]),
        (400, {"error": "partial write: points beyond retention policy dropped=4"}, Verdict.PAST, [0, 1, 2, 3]),
        (422, {"code": "unprocessable entity", "message": f"failure writing points to database: {CONFLICT}"}, Verdict.REFUSED, []),
        (422, {"code": "unprocessable entity", "message": "failure writing points to database: partial write: dropped 2 points outside retention policy of duration 1h0m0s"}, Verdict.PAST, [2, 3]),
        (400, {"code": "invalid", "message": "unable to parse 'm f=2i 98': bad timestamp", "line": 3}, Verdict.REFUSED, [2]),
        (400, {"error": "partial write of line protocol occurred", "data": [{"original_line": "m f=1i 99", "line_number": 2, "error_message": "invalid column type"}]}, Verdict.REFUSED, [1]),
        (400, {"error": "partial write of line protocol occurred", "data": [{"line_number": 7, "error_message": "?"}, {"line_number": None}, 5]}, Verdict.REFUSED, []),
        (413, "Request Entity Too Large", Verdict.REFUSED, []),
        (400, "<html>Bad request</html>", Verdict.FAILED, []),
        (400, {"strange": True}, Verdict.FAILED, []),
        (409, {"error": "exists"}, Verdict.FAILED, []),
        (500, {"error": "timeout"}, Verdict.FAILED, []),
        (503, "", Verdict.FAILED, []),
        (200, "<html><form>password</form></html>", Verdict.FAILED, []),
        (200, {"results": []}, Verdict.FAILED, []),
        (202, "", Verdict.FAILED, []),
    ],
    ids=range(20),
)  # fmt: skip
def test_an_answer_is_judged(status: int, body: Any, verdict: Verdict, guilty: list[int]) -> None:
    outcome = of(status, body)
    assert outcome.verdict is verdict
    assert sorted(outcome.guilty) == guilty
    assert verdict is Verdict.TAKEN or str(status) in outcome.words


def test_a_missing_database_is_no_records_fault() -> None:
    with pytest.raises(NotForUs, match="database not found"):
        of(404, {"error": 'database not found: "plant"'})
    with pytest.raises(NotForUs, match="is `version` right"):
        of(404, "404 page not found")
