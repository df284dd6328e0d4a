"""What a mail says and when it goes; whatever stands in a record, its headers stay headers."""

import email
import email.policy
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from pydantic import ValidationError

from schemas.records import Derived
from sinks.email import spec
from sinks.email.config import EmailConfig, Report
from sinks.email.digest import due, line, message
from sinks.kit.cloudevents import Unfit
from tests.harness.records import EXAMPLES
from uns.testing import downtime
from uns.testing.text import TEXTS

BASE: dict[str, Any] = {
    "server": "smtp://mail.example.com",
    "sender": "UNS <uns@example.com>",
    "to": ["anna@example.com"],
}
DERIVED = [record for record in EXAMPLES if isinstance(record, Derived)]


def config(**report: Any) -> EmailConfig:
    one = {"name": "stops", "class": "downtime", **report}
    return EmailConfig.model_validate({**BASE, "zone": "Europe/Berlin", "reports": [one]})


def read(content: bytes) -> Any:
    return email.message_from_bytes(content, policy=email.policy.default)


@pytest.mark.parametrize("record", DERIVED, ids=lambda record: type(record).__name__)
def test_every_class_has_a_line(record: Derived) -> None:
    options = config(**{"class": record.message_class})
    one = line(options, options.reports[0], record)
    assert one.text.startswith("18.11. 12:06 acme/dallas/packaging/line-1/filler: ")
    assert "\n" not in one.text
    assert "{" not in one.text


def test_a_digest_is_ordered_bounded_and_said_twice() -> None:
    options = config(lines_max=2, subject="Line 1 <stops>")
    report = options.reports[0]
    lines = [line(options, report, downtime(n, reason=f"<b>jam {n}</b>")) for n in (3, 1, 2)]
    mail = read(message(options, "mail", report, lines, 1_795_000_000.0).content)
    text = mail.get_body(("plain",)).get_content().splitlines()
    assert [("jam 1" in text[0]), ("jam 2" in text[1]), text[2]] == [True, True, "… and 1 more"]
    assert mail["Subject"] == "Line 1 <stops>: 3 since 18.11. 12:07"
    assert (mail["From"], mail["To"]) == ("UNS <uns@example.com>", "anna@example.com")
    html = mail.get_body(("html",)).get_content()
    assert "&lt;b&gt;jam 1&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "Line 1 &lt;stops&gt;" in html
    assert mail["Auto-Submitted"] == "auto-generated"


def test_its_id_is_of_what_it_tells() -> None:
    options = config()
    report = options.reports[0]
    lines = [line(options, report, downtime(n)) for n in range(3)]
    first = message(options, "mail", report, lines, 1.0)
    assert message(options, "mail", report, lines[::-1], 99.0).message_id == first.message_id
    assert message(options, "mail", report, lines[:2], 1.0).message_id != first.message_id
    assert message(options, "other", report, lines, 1.0).message_id != first.message_id
    newer = [line(options, report, downtime(0, revision=1)), *lines[1:]]
    assert message(options, "mail", report, newer, 1.0).message_id != first.message_id
    assert first.message_id.endswith("@example.com>")


@given(TEXTS, TEXTS)
def test_whatever_stands_in_a_record_it_is_one_line_and_adds_no_header(reason: str, order: str) -> None:
    options = config(line="{reason}{order}")
    report = options.reports[0]
    record = msgspec.structs.replace(downtime(1, reason=reason), order=order)
    try:
        one = line(options, report, record)
    except Unfit:
        return
    content = message(options, "mail", report, [one], 1.0).content
    content.decode("ascii")
    assert all(len(row) <= 998 for row in content.split(b"\r\n"))
    mail = read(content)
    assert mail.keys() == ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version", "Content-Type"]  # fmt: skip
    assert mail.get_body(("plain",)).get_content().rstrip("\r\n") == one.text.rstrip()


@pytest.mark.parametrize(
    ("report", "first", "goes"),
    [
        ({"every_min": 30}, "2026-11-23 06:10", "2026-11-23 06:40"),
        ({"at": ["06:00", "14:00"]}, "2026-11-23 06:00", "2026-11-23 14:00"),
        ({"at": ["14:00", "06:00"]}, "2026-11-23 15:00", "2026-11-24 06:00"),
        ({"at": ["02:30"]}, "2026-03-29 01:00", "2026-03-29 03:30"),  # that night there is no half past two
        ({"at": ["06:00"]}, "2026-10-25 00:30", "2026-10-25 06:00"),  # and that one has an hour more
    ],
    ids=["every", "at", "tomorrow", "spring", "autumn"],
)
def test_when_a_digest_goes(report: dict[str, Any], first: str, goes: str) -> None:
    zone = "Europe/Berlin"
    begin, wanted = (datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() for text in (first, goes))
    one = Report.model_validate({"name": "a", "class": "oee", **report})
    assert due(one, zone, begin, 0.0) == wanted


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"server": "http://a"}, "smtp://host:587"),
        ({"server": "smtp://u:hunter2@a"}, "password_file"),
        ({"sender": "uns"}, "no mail address"),
        ({"to": ["a@b\nBcc: c@d"]}, "no mail address"),
        ({"to": []}, "goes to nobody"),
        ({"zone": "Mars/Base"}, "no time zone"),
        ({"starttls": "never", "username": "u"}, "needs TLS"),
        ({"reports": [{"name": "a", "class": "downtime", "line": "{reson}"}]}, "did you mean 'reason'"),
        ({"reports": [{"name": "a", "class": "alert", "immediately": {"severty": "high"}}]}, "did you mean 'severity'"),
        ({"reports": [{"name": "a", "class": "alert", "at": ["24:00"]}]}, "at"),
        ({"reports": [{"name": "a", "class": "alert"}, {"name": "a", "class": "oee"}]}, "several are called 'a'"),
    ],
    ids=lambda given: given if isinstance(given, str) else "-".join(given),
)
def test_what_is_wrong_is_said(options: dict[str, Any], words: str) -> None:
    good = {**BASE, "reports": [{"name": "stops", "class": "downtime"}]}
    spec.config.model_validate(good)
    with pytest.raises(ValidationError, match=words) as caught:
        spec.config.model_validate({**good, **options})
    assert "hunter2" not in str(caught.value)
