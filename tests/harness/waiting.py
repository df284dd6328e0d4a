"""Waits for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout_s: float = 20.0, what: str = "", every_s: float = 0.03) -> T:
    """The first true value of `condition`. Raises AssertionError after the deadline, with the last value or error.

    An AssertionError or OSError in the condition counts as not yet true; any other error is raised at once.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        seen: object
        try:
            if value := condition():
                return value
            seen = value
        except (AssertionError, OSError) as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what or condition}; last seen: {seen!r}")
        time.sleep(every_s)
