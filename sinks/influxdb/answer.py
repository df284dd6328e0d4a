"""What an answer of InfluxDB says of the lines that were sent. Pure.

Only a 204 says that all are written. A 400 or 422 may have written the others: which lines are meant is named by line
number (3), by the line itself (1, 2), by a count (`dropped=2`), or not at all.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sinks.kit.batches import TAKEN, Outcome, Row, Verdict
from sinks.kit.http import WORDS_MAX, Answer

_PAST = re.compile(r"(beyond|outside|older than)[^.]{0,20}retention", re.IGNORECASE)
_DROPPED = re.compile(r"dropped[= ](\d{1,9})")
_UNPARSED = "unable to parse '"
_SEARCHED_MAX = 200_000


class NotForUs(Exception):
    """An answer that no record provoked: a database that is not there, another version."""


def judge(answer: Answer, rows: Sequence[Row]) -> Outcome:
    """Raises `NotForUs`."""
    status = answer.status
    if status == 204:
        return TAKEN
    if status == 413:
        return Outcome(Verdict.REFUSED, "http_413", answer.words)
    if status in (400, 422) and (said := _said(answer.body)) is not None:
        return _refused(status, said, answer.body, rows)
    if status == 404:
        raise NotForUs(f"{answer.words}: is it there, and is `version` right?")
    asked = "" if status >= 400 else ": InfluxDB says 204 to a write; is this one, of this version?"
    return Outcome(Verdict.FAILED, f"http_{status}", f"{answer.words}{asked}")


def _said(body: Any) -> str | None:
    """What the target says is wrong; None where it does not speak as InfluxDB."""
    if not isinstance(body, dict):
        return None
    return next((body[name] for name in ("error", "message") if isinstance(body.get(name), str)), None)


def _refused(status: int, said: str, body: Mapping[str, Any], rows: Sequence[Row]) -> Outcome:
    words = f"{status} {' '.join(said.split())[:WORDS_MAX]}"
    if named := _named(body.get("data"), len(rows)):
        past = all(_PAST.search(why) for why in named.values())
        return Outcome(Verdict.PAST if past else Verdict.REFUSED, f"http_{status}", words, named)
    if _PAST.search(said):
        dropped = _DROPPED.search(said)
        return Outcome(Verdict.PAST, f"http_{status}", words, _oldest(rows, int(dropped[1]) if dropped else len(rows)))
    return Outcome(Verdict.REFUSED, f"http_{status}", words, _quoted(said, rows))


def _named(data: Any, count: int) -> dict[int, str]:
    """Place → words, of an answer that has the lines' numbers."""
    found = {}
    for one in data if isinstance(data, list) else ():
        number = one.get("line_number") if isinstance(one, dict) else None
        if isinstance(number, int) and 1 <= number <= count:
            found[number - 1] = f"line {number}: {str(one.get('error_message'))[:WORDS_MAX]}"
    return found


def _oldest(rows: Sequence[Row], count: int) -> dict[int, str]:
    by_age = sorted(range(len(rows)), key=lambda place: rows[place].key[-1])
    return dict.fromkeys(by_age[:count], "")


def _quoted(said: str, rows: Sequence[Row]) -> dict[int, str]:
    if _UNPARSED not in said:
        return {}
    searched = said[:_SEARCHED_MAX]
    return {place: "" for place, row in enumerate(rows) if f"'{row.content}'" in searched}
