"""What an answer of PI Web API says of the values that were sent. Pure.

204: all are written. 207: what became of each stands in it, in the order in which they were sent. 202 says that they are in
a buffer: no proof.
"""

from collections.abc import Iterator
from typing import Any

from sinks.kit.batches import TAKEN, Outcome, Verdict
from sinks.kit.http import WORDS_MAX, Answer


class NotForUs(Exception):
    """An answer that no record provoked."""


def judge(answer: Answer, count: int) -> Outcome:
    """Of `count` values. Raises `NotForUs`."""
    status = answer.status
    if status == 204:
        return TAKEN
    if status == 207:
        return _each(answer, count)
    if status == 202:
        raise NotForUs(
            "202, the values wait in a buffer, although none was asked for; nothing shows that they are written"
        )
    if status in (400, 404, 409, 413, 422) and said(answer) is not None:
        return Outcome(Verdict.REFUSED, f"http_{status}", f"{status} {said(answer)}")
    asked = "" if status >= 400 else ": is this PI Web API?"
    return Outcome(Verdict.FAILED, f"http_{status}", f"{answer.words}{asked}")


def said(answer: Answer) -> str | None:
    """What PI Web API says is wrong, on one line; None where it does not speak as one."""
    body = answer.body
    if not isinstance(body, dict):
        return None
    errors = body.get("Errors")
    words = "; ".join(map(str, errors)) if isinstance(errors, list) else body.get("Message")
    return " ".join(str(words).split())[:WORDS_MAX] if words else None


def _each(answer: Answer, count: int) -> Outcome:
    stated = list(_statuses(answer.body))
    if len(stated) != count:
        return Outcome(
            Verdict.REFUSED, "http_207", f"207 with {len(stated)} statuses for {count} values: {answer.words}"
        )
    wrong = {place: each for place, each in enumerate(stated) if not 200 <= each[0] < 300}
    if not wrong:
        return TAKEN
    words = {place: f"{status} {' '.join(why.split())[:WORDS_MAX]}" for place, (status, why) in wrong.items()}
    first = next(iter(words.values()))
    if broke := [place for place, (status, _) in wrong.items() if status >= 500 or status == 202]:
        return Outcome(Verdict.FAILED, "http_207", words[broke[0]])
    return Outcome(Verdict.REFUSED, "http_207", first, words)


def _statuses(body: Any) -> Iterator[tuple[int, str]]:
    """(status, words) of each value; those of a stream stand together."""
    for one in body.get("Items", ()) if isinstance(body, dict) else ():
        if not isinstance(one, dict):
            return
        if isinstance(one.get("Items"), list):
            yield from _statuses(one)
        elif isinstance(one.get("Substatus"), int):
            errors = one.get("Errors")
            why = "; ".join(map(str, errors)) if isinstance(errors, list) else str(one.get("Message") or "")
            yield one["Substatus"], why
