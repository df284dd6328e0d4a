"""Waits for a condition, never for a time; deadlines are for an idle machine and grow with what this one can do."""

import time
from collections.abc import Callable
from typing import TypeVar

from uns.testing.patience import patient, slowness

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout_s: float = 20.0, what: str = "", every_s: float = 0.03) -> T:
    """The first true value of `condition`. Raises AssertionError after the deadline, with the last value or error.

    An AssertionError or OSError in the condition counts as not yet true; any other error is raised at once.
    """
    deadline = time.monotonic() + patient(timeout_s)
    while True:
        seen: object
        try:
            if value := condition():
                return value
            seen = value
        except (AssertionError, OSError) as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {_span(timeout_s)}: {what or condition}; last seen: {seen!r}")
        time.sleep(every_s)


def until(condition: Callable[[], T | None], timeout_s: float = 60.0, why: Callable[[], object] = str) -> T:
    """The first true value of `condition`, whose errors are raised at once; `why` says what is known when it never comes."""
    deadline = time.monotonic() + patient(timeout_s)
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {_span(timeout_s)}: {why() or condition}"
        time.sleep(0.05)
    return value


def started(start: Callable[[], T], ready: Callable[[T], object], stop: Callable[[T], object], what: str) -> T:
    """Something that runs and is ready: a start that fails is tried once more, so that one slow start fails no other test.

    Raises AssertionError that says what was waited for, and how each start failed.
    """
    failures = []
    for _ in range(2):
        running = start()
        try:
            ready(running)
        except AssertionError as error:
            stop(running)
            failures.append(str(error))
        except BaseException:
            stop(running)
            raise
        else:
            return running
    raise AssertionError(f"{what} did not start, twice:\n" + "\n".join(failures))


def _span(timeout_s: float) -> str:
    return f"{patient(timeout_s):.0f} s ({timeout_s:g} s on an idle machine, this one is {slowness():.1f} times slower)"
