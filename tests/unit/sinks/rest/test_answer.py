"""What an answer proves: by example, and whatever it says."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.kit.answer import Answer, Verdict, judge, located, remote_id
from sinks.kit.retry_after import RETRY_AFTER_MAX_S, retry_after_s
from uns.testing.text import json_documents

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "text", "verdict"),
    [
        (200, '{"id": 1}', Verdict.DONE),
        (201, "", Verdict.DONE),
        (200, '{"id": 1, "error": null, "errors": []}', Verdict.DONE),
        (200, '{"id": 1, "status": "failed to start"}', Verdict.DONE),
        (200, '{"items": [{"status": 422}]}', Verdict.DONE),
        (207, '{"items": [{"status": 422}]}', Verdict.REFUSED),
        (207, '{"items": [{"status": 201}]}', Verdict.DONE),
        (207, '[{"result": {"error": "x"}}]', Verdict.REFUSED),
        (200, '[{"error": "x"}]', Verdict.REFUSED),
        (200, '{"Error": "x"}', Verdict.REFUSED),
        (200, '{"ok": false}', Verdict.REFUSED),
        (200, "<html>", Verdict.FAILED),
        (200, "<soap:Envelope/>", Verdict.FAILED),
        (200, "created", Verdict.UNPROVEN),
        (200, '{"id": ', Verdict.UNPROVEN),
        (101, "", Verdict.FAILED),
        (304, "", Verdict.FAILED),
        (401, '{"error": "x"}', Verdict.FAILED),
        (404, "", Verdict.REFUSED),
        (408, "", Verdict.FAILED),
        (429, "", Verdict.BUSY),
        (500, "", Verdict.FAILED),
        (503, "", Verdict.FAILED),
        (504, "", Verdict.FAILED),
    ],
)
def test_without_a_test_of_its_own(status: int, text: str, verdict: Verdict) -> None:
    assert judge(Answer(status, {}, text), None, {})[0] is verdict
    if verdict is Verdict.FAILED and status >= 300:
        assert judge(Answer(status, {"retry-after": "7"}, text), None, {})[0] is Verdict.BUSY


@pytest.mark.parametrize(
    ("test", "text", "verdict"),
    [
        ("{{ body.result == 'OK' }}", '{"result": "OK"}', Verdict.DONE),
        ("{{ body.result == 'OK' }}", '{"result": "NO"}', Verdict.REFUSED),
        ("{{ body.result == 'OK' }}", "{}", Verdict.REFUSED),
        ("{{ body.result == 'OK' }}", "<html>", Verdict.FAILED),
        ("{{ body.error is not defined }}", "<html>", Verdict.FAILED),
        ("{{ body.error is not defined }}", "fine", Verdict.UNPROVEN),
        ("{{ body.error is not defined }}", '{"error": 0}', Verdict.REFUSED),
        ("{{ body.error == 0 }}", '{"error": 0}', Verdict.DONE),
        ("{{ text == 'fine' and status == 200 }}", "fine", Verdict.DONE),
        ("{{ headers['x-result'] == '7' }}", "", Verdict.DONE),
        ("{{ body.number }}", '{"number": 7}', Verdict.REFUSED),
        ("{{ body.order == order }}", '{"order": "4711"}', Verdict.DONE),
    ],
)
def test_with_a_test_of_its_own(test: str, text: str, verdict: Verdict) -> None:
    assert judge(Answer(200, {"x-result": "7"}, text), test, {"order": "4711"})[0] is verdict
    assert judge(Answer(500, {"x-result": "7"}, text), test, {"order": "4711"})[0] is Verdict.FAILED


@given(st.integers(100, 599), st.text() | json_documents(("error", "id", "status", "items")), st.text(max_size=30))
def test_only_a_2xx_is_done_and_every_verdict_has_words(status: int, body: Any, kind: str) -> None:
    import json

    text = body if isinstance(body, str) else json.dumps(body)
    verdict, words = judge(Answer(status, {"content-type": kind}, text), None, {})
    assert (verdict is Verdict.DONE) == (words == "")
    assert verdict is not Verdict.DONE or 200 <= status < 300


@pytest.mark.parametrize(
    ("asked", "date", "wait_s"),
    [
        ("7", "", 7.0),
        (" 0 ", "", 0.0),
        ("99999999999999999999", "", RETRY_AFTER_MAX_S),
        ("Sun, 29 Nov 2026 12:01:30 GMT", "", 90.0),
        ("Sun, 29 Nov 2026 11:01:30 GMT", "", 0.0),
        ("Sun, 29 Nov 2026 12:01:30 GMT", "Sun, 29 Nov 2026 12:01:00 GMT", 30.0),
        ("Tue, 29 Nov 2099 12:01:30 GMT", "", RETRY_AFTER_MAX_S),
        ("-5", "", None),
        ("soon", "", None),
        ("٣", "", None),
        ("", "", None),
    ],
)
def test_retry_after_in_seconds_and_as_a_date(asked: str, date: str, wait_s: float | None) -> None:
    assert retry_after_s({"retry-after": asked, "date": date}, NOW) == wait_s


@given(st.text(), st.text())
def test_whatever_retry_after_says_the_wait_is_bounded(asked: str, date: str) -> None:
    wait_s = retry_after_s({"retry-after": asked, "date": date}, NOW)
    assert wait_s is None or 0 <= wait_s <= RETRY_AFTER_MAX_S


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("/orders/7", "7"),
        ("https://mes.example.com/api/orders/7/?x=1#y", "7"),
        ("/orders/a%2Fb", "a/b"),
        ("Orders('7')", "Orders('7')"),
        ("/", None),
        ("", None),
        (None, None),
    ],
)
def test_the_id_in_a_location(location: str | None, found: str | None) -> None:
    assert located(location) == found


@pytest.mark.parametrize("said", ["null", '""', "true", "[]", "{}", '"\\ud800"'])
def test_what_is_no_id(said: str) -> None:
    assert remote_id(Answer(201, {}, f'{{"id": {said}}}'), "id", None, {}) is None
    assert remote_id(Answer(201, {}, f'{{"id": {said}}}'), "id", "{natural_id}", {"natural_id": "ours"}) == "ours"
