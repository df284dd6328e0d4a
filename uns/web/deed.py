"""What a person does on a page, and the fact that it comes to."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.records import Fact

Tell = Callable[[str, Fact], Awaitable[str | None]]
"""Publishes a fact of a path; returns what went wrong, if anything did."""


class Refused(ValueError):
    """What somebody wants to do cannot be done; says why, for people."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person wants to have done on a page."""

    kind: str
    said: Mapping[str, Any]
    """What the page sends along."""
    by: str
    """Who: the one who is signed in, or the name that was given on a page without sign-in."""
    at: int
    """Plant time, µs UTC."""


Act = Callable[[Deed], tuple[str, Fact]]
"""The path and the fact that a deed comes to. Pure. Raises `Refused`."""
