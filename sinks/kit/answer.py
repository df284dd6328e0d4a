"""What an answer says: done, refused, later, or nothing that could be relied on. Pure.

Done needs proof. Many targets answer 200 and put the error inside; a proxy answers 200 with a page to log in at.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote, urlsplit

from sinks.kit.template import UnfitValue, fill

WORDS_MAX = 500
LATER = (408, 425)
"""Answers that mean later, like all from 500 on."""
_ERROR_MEMBERS = ("error", "errors", "fault", "exception", "exc", "failures")
_WORDS_OF_FAILURE = ("error", "fail", "failure")
_DEPTH_MAX = 4


class Verdict(Enum):
    """What is known after an answer."""

    DONE = auto()
    REFUSED = auto()
    """The target does not want it: said by status, or inside."""
    UNPROVEN = auto()
    """A success that proves nothing: it may be done."""
    FAILED = auto()
    """Not done, and no word on the record: the target broke, does not know us, redirects, shows a page for people. It may
    say so to every request or to this one alone; one answer does not tell."""
    BUSY = auto()
    """It asks for time, of everybody."""


@dataclass(frozen=True)
class Answer:
    """Status, headers with small letters, and the body: text, and the value where it is JSON."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def body(self) -> tuple[Any, ...]:
        """The JSON value, alone; empty where the body is none."""
        try:
            return (json.loads(self.text),) if self.text.strip() else ()
        except (ValueError, RecursionError):
            return ()

    @property
    def values(self) -> dict[str, Any]:
        """For templates. `body` is not there unless it is JSON: a test on it then fails."""
        named = {"status": self.status, "headers": dict(self.headers), "text": self.text}
        return named | ({"body": self.body[0]} if self.body else {})

    @property
    def words(self) -> str:
        """What the target says, on one line."""
        return f"{self.status} {' '.join(self.text.split())[:WORDS_MAX]}".strip()


ANSWER_NAMES = ("status", "headers", "body", "text")
"""What templates over an answer may name, besides the record's fields."""


def judge(answer: Answer, success: str | None, values: Mapping[str, Any]) -> tuple[Verdict, str]:
    """The verdict, and why. `success`: the configuration's own test, in place of ours for 2xx."""
    status = answer.status
    if status == 429 or (status >= 300 and "retry-after" in answer.headers):
        return Verdict.BUSY, answer.words
    if status >= 500 or status in LATER:
        return Verdict.FAILED, answer.words
    if status in (401, 403):
        return Verdict.FAILED, f"{status}, the target does not accept us; check auth: {answer.words}"
    if status < 200 or 300 <= status < 400:
        # Followed, a POST would turn into a GET; taken for done, e.g. a login page would swallow every record.
        return Verdict.FAILED, f"{status}, redirected to {answer.headers.get('location')}; check base_url"
    if status >= 400:
        return Verdict.REFUSED, answer.words
    if success is not None:
        return _tested(answer, success, values)
    if answer.text.strip() and not answer.body:
        return _no_json(answer)
    if answer.body and (said := next(_errors(answer.body[0], status == 207), None)) is not None:
        return Verdict.REFUSED, f"an error inside a success: {said}: {answer.words}"
    return Verdict.DONE, ""


def _tested(answer: Answer, success: str, values: Mapping[str, Any]) -> tuple[Verdict, str]:
    try:
        if fill(success, {**values, **answer.values}) is True:
            return Verdict.DONE, ""
        why = f"success {success!r} is not true"
    except UnfitValue as error:
        why = str(error)
    if _is_page(answer):
        return _no_json(answer)
    return (Verdict.REFUSED if answer.body else Verdict.UNPROVEN), f"{why}: {answer.words}"


def _is_page(answer: Answer) -> bool:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return not answer.body and (kind in ("text/html", "application/xhtml+xml") or answer.text.lstrip()[:1] == "<")


def _no_json(answer: Answer) -> tuple[Verdict, str]:
    if _is_page(answer):
        return Verdict.FAILED, f"a page for people instead of JSON (a login?); check auth and base_url: {answer.words}"
    return Verdict.UNPROVEN, f"neither JSON nor empty, so it proves nothing; state `success` and `id`: {answer.words}"


def _errors(value: Any, many: bool, depth: int = 0) -> Iterator[str]:
    """Members that say that something failed; `many`: of items deeper down, too."""
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, list):
        for item in value:
            yield from _errors(item, many, depth + 1)
        return
    if not isinstance(value, dict):
        return
    for name, part in value.items():
        plain = name.lower()
        if (
            (plain in _ERROR_MEMBERS and part)
            or (plain in ("success", "ok", "succeeded") and part is False)
            or (plain == "status" and isinstance(part, str) and part.lower() in _WORDS_OF_FAILURE)
            or (many and plain in ("status", "statuscode", "code") and _is_failure(part))
        ):
            yield name
        elif many:
            yield from _errors(part, many, depth + 1)


def _is_failure(part: Any) -> bool:
    """A status of 400 and more, as a number or within `HTTP/1.1 403 Forbidden`."""
    return isinstance(part, str | int) and re.search(r"\b[45]\d\d\b", str(part)[:100]) is not None


def remote_id(answer: Answer, id_field: str, own: str | None, values: Mapping[str, Any]) -> str | None:
    """The id that the target gave, or that `own` makes; None where neither does. Raises `UnfitValue`."""
    if own is not None:
        found = fill(own, {**values, **answer.values})
    elif (found := dig(answer.body[0] if answer.body else None, id_field)) is None:
        found = located(answer.headers.get("location"))
    return as_text(found)


def located(location: str | None) -> str | None:
    """The id in a `Location`: its last segment; None where there is none."""
    segment = urlsplit(location or "").path.rstrip("/").rpartition("/")[2]
    return unquote(segment) or None


def dig(value: Any, field: str) -> Any:
    """What stands at a.b."""
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def as_text(value: Any) -> str | None:
    """An id as text; None for what is none: nothing, a list, what no text can hold."""
    if value is None or isinstance(value, bool | list | dict) or value == "":
        return None
    return str(value) if is_text(str(value)) else None


def is_text(text: str) -> bool:
    """Whether UTF-8 can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
