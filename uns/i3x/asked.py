"""What requests ask: their bodies read and checked, with words that say which field is wrong. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from schemas.text import micros
from uns.i3x.answers import Refused

IDS_MAX = 10_000
"""Ids in one request."""
ID_MAX = 1_000
"""Characters of one."""
BODY_MAX_BYTES = 4 * 1024 * 1024


def body(text: bytes) -> dict[str, Any]:
    """The object of a request's body. Raises `Refused`."""
    try:
        read = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise Refused(400, "the body is not a JSON object")
    return read


def ids(asked: Mapping[str, Any], key: str = "elementIds") -> list[str]:
    """The ids of a request. Raises `Refused`."""
    found = asked.get(key)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise Refused(400, f"{key} is missing, or no array of strings")
    if len(found) > IDS_MAX:
        raise Refused(400, f"{key} has {len(found)} entries, this server takes {IDS_MAX} at once: ask in parts")
    if any(len(each) > ID_MAX for each in found):
        raise Refused(400, f"{key} has an entry of more than {ID_MAX} characters")
    return found


def text(asked: Mapping[str, Any], key: str) -> str:
    """A text that must be there. Raises `Refused`."""
    found = asked.get(key)
    if not isinstance(found, str) or not found:
        raise Refused(400, f"{key} is missing, or no string")
    if len(found) > ID_MAX:
        raise Refused(400, f"{key} has more than {ID_MAX} characters")
    return found


def optional_text(asked: Mapping[str, Any], key: str) -> str | None:
    """Raises `Refused`."""
    return None if asked.get(key) is None else text(asked, key)


def whole(asked: Mapping[str, Any], key: str, default: int | None, least: int) -> int | None:
    """A whole number of at least `least`. Raises `Refused`."""
    found = asked.get(key)
    if found is None:
        return default
    if not isinstance(found, int) or isinstance(found, bool) or found < least:
        raise Refused(400, f"{key} is no whole number from {least} on")
    return found


def depth(asked: Mapping[str, Any]) -> int:
    """`maxDepth`: 0 without an end, 1 the object alone. Raises `Refused`."""
    found = whole(asked, "maxDepth", 1, 0)
    assert found is not None
    return found


def flag(asked: Mapping[str, Any], key: str) -> bool:
    """A truth of a body or of a query, where it is a word. Raises `Refused`."""
    found = asked.get(key)
    if found is None or isinstance(found, bool):
        return bool(found)
    if isinstance(found, str) and found.lower() in ("true", "false", ""):
        return found.lower() == "true"
    raise Refused(400, f"{key} is neither true nor false")


def span(asked: Mapping[str, Any], now: int) -> tuple[int, int]:
    """`startTime` and `endTime`, µs UTC; the end is `now` where none is given, as clients of CESMII's ask. Raises `Refused`."""
    begin, end = _time(asked, "startTime"), now if asked.get("endTime") is None else _time(asked, "endTime")
    if begin > end:
        raise Refused(400, "startTime is after endTime")
    return begin, end


def _time(asked: Mapping[str, Any], key: str) -> int:
    try:
        return micros(text(asked, key))
    except (ValueError, OverflowError) as error:
        raise Refused(400, f"{key}: {error}") from None
