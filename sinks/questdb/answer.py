"""What an answer of QuestDB says of the rows that were sent. Pure.

A refused request leaves nothing behind: QuestDB takes back all of it and names the first line that it cannot take.
"""

from collections.abc import Sequence

from sinks.kit.batches import TAKEN, Outcome, Row, Verdict
from sinks.kit.http import WORDS_MAX, Answer


class NotForUs(Exception):
    """An answer that no record provoked."""


def judge(answer: Answer, rows: Sequence[Row]) -> Outcome:
    """Raises `NotForUs`."""
    status, body = answer.status, answer.body
    if status == 204:
        return TAKEN
    if status == 413:
        return Outcome(Verdict.REFUSED, "http_413", answer.words)
    if status == 400 and isinstance(body, dict) and isinstance(body.get("message"), str):
        words = f"400 {' '.join(body['message'].split())[:WORDS_MAX]}"
        line = body.get("line")
        named = {line - 1: ""} if isinstance(line, int) and 1 <= line <= len(rows) else {}
        return Outcome(Verdict.REFUSED, "http_400", words, named)
    if status == 404:
        raise NotForUs(f"{answer.words}: is this QuestDB's HTTP port?")
    asked = "" if status >= 400 else ": QuestDB says 204 to a write; is this its HTTP port?"
    return Outcome(Verdict.FAILED, f"http_{status}", f"{answer.words}{asked}")
