"""What a message says, and when it goes. Pure."""

import hashlib
import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.envelope import Derived
from schemas.text import calendar, to_plain
from sinks.email.config import EmailConfig, Report
from sinks.kit.cloudevents import Unfit
from sinks.kit.template import UnfitValue, fill

LINE_MAX = 500
"""Letters of a line."""
SUBJECT_MAX = 150
_TIME = "{{ started_at | time('%d.%m. %H:%M', ZONE) }}"
_LINES = {
    "downtime": _TIME + " {path}: {reason|no reason}{{ ' (' ~ category ~ ')' if category else '' }}, "
    "{{ 'still open' if ended_at is none else ((((ended_at | epoch_s) - (started_at | epoch_s)) / 60) | round(1) ~ ' min') }}",
    "alert": _TIME + " {path}: {severity} {kind} {state}: {message}",
    "oee": _TIME + " {path}: OEE {{ '-' if oee is none else (oee * 100) | round(1) ~ ' %' }}, {good} good, {scrap} scrap ({window})",
    "changeover": _TIME + " {path}: {from_product} to {to_product}, "
    "{{ ((setup_us + teardown_us + run_in_us) / 60000000) | round(1) }} min",
    "quality": _TIME + " {path}: {characteristic} = {value}",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Line(NamedTuple):
    """A record of a report."""

    natural_id: str
    revision: int
    started_at: int
    text: str
    withdrawn: bool = False


class Message(NamedTuple):
    message_id: str
    content: bytes


def line(config: EmailConfig, report: Report, record: Derived) -> Line:
    """Raises `Unfit`."""
    template = report.line or _LINES.get(report.message_class, _TIME + " {path}: {status}").replace(
        "ZONE", repr(config.zone)
    )
    try:
        values = {**to_plain(record, calendar), "natural_id": record.natural_id}
        text = _one_line(str(fill(template, values)), LINE_MAX)
        text.encode()
        record.natural_id.encode()
    except (UnfitValue, OverflowError, UnicodeEncodeError) as error:
        raise Unfit(f"report {report.name}: the record has no line: {error}") from error
    mark = (
        "withdrawn: " if record.withdrawn else "corrected: " if record.revision and record.status == "corrected" else ""
    )
    return Line(record.natural_id, record.revision, record.started_at, mark + text, record.withdrawn)


def due(report: Report, zone: str, first: float, now: float) -> float:
    """When a digest goes whose first record came at `first`; seconds since 1970."""
    if not report.at:
        return first + 60.0 * report.every_min
    begin = datetime.fromtimestamp(first, ZoneInfo(zone))
    days = (begin.date() + timedelta(days=n) for n in range(3))
    times = [
        datetime(day.year, day.month, day.day, int(at[:2]), int(at[3:]), tzinfo=begin.tzinfo)
        for day in days
        for at in report.at
    ]
    return min((moment.timestamp() for moment in times if moment.timestamp() > first), default=now)


def message(config: EmailConfig, sink: str, report: Report, lines: Sequence[Line], at: float, notes: Sequence[str] = ()) -> Message:  # fmt: skip
    """One message; its id is the same for the same lines."""
    ordered = sorted(lines, key=lambda one: (one.started_at, one.natural_id))
    shown, left = ordered[: report.lines_max], len(ordered) - report.lines_max
    title = report.subject or report.name
    what = shown[0].text if len(lines) == 1 else f"{len(lines):,} since {_clock(config, ordered[0].started_at)}"
    more = [f"… and {left:,} more"] if left > 0 else []
    identity = "\n".join((sink, report.name, *(f"{one.natural_id}:{one.revision}" for one in ordered)))
    domain = parseaddr(config.sender)[1].rpartition("@")[2]
    message_id = f"<{hashlib.sha256(identity.encode()).hexdigest()[:40]}@{domain}>"
    recipients = config.recipients(report)
    ascii_only = all(one.isascii() for one in (*recipients, config.sender))
    made = EmailMessage(policy=(SMTP if ascii_only else SMTPUTF8).clone(cte_type="7bit"))
    made["From"], made["To"] = config.sender, ", ".join(recipients)
    made["Subject"] = _one_line(f"{title}: {what}", SUBJECT_MAX)
    made["Date"] = format_datetime(datetime.fromtimestamp(at, UTC))
    made["Message-ID"] = message_id
    made["Auto-Submitted"], made["X-Auto-Response-Suppress"] = "auto-generated", "All"
    texts = [one.text for one in shown]
    made.set_content("\n".join([*texts, *more, *notes]) + "\n")
    rows = "\n".join(f"<tr><td>{html.escape(text)}</td></tr>" for text in texts)
    below = "".join(f"<p>{html.escape(text)}</p>" for text in (*more, *notes))
    made.add_alternative(f"<html><body><h3>{html.escape(title)}</h3><table>\n{rows}\n</table>{below}</body></html>\n", subtype="html")  # fmt: skip
    return Message(message_id, made.as_bytes())


def _clock(config: EmailConfig, micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, ZoneInfo(config.zone)).strftime("%d.%m. %H:%M")


def _one_line(text: str, most: int) -> str:
    plain = _CONTROL.sub(" ", text).strip()
    return plain if len(plain) <= most else plain[: most - 1] + "…"
