"""What a screen is, and which there are: entry points in the group `uns.screens`, ours and third parties' alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import structlog

from schemas.records import Derived, Fact
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from uns.web.feed import Feed

log = structlog.get_logger()

GROUP = "uns.screens"


class Picture(Protocol):
    """What a screen knows: a fold of derived records that does no I/O and bounds its own memory."""

    def apply(self, record: Derived) -> None:
        """Takes in one record of any class; of each a greater revision replaces a smaller one, in any order."""


@runtime_checkable
class Forgetful(Protocol):
    """A picture that is told of paths which have left the plant."""

    def remove(self, path: str) -> None:
        """Forgets a path until a snapshot of it comes: records of other classes may still come, in any order."""


PictureT = TypeVar("PictureT", bound=Picture)
Tell = Callable[[str, Fact], Awaitable[str | None]]
"""Publishes a fact of a path; returns what went wrong, if anything did."""


@dataclass(frozen=True, slots=True)
class Context(Generic[PictureT]):
    """What one visit of a screen has at hand."""

    picture: PictureT
    """Shared with the feed's thread: read it under `feed.lock`."""
    feed: Feed
    place: str
    """Path behind the route, as the visitor asked for it; empty: none."""
    tell: Tell
    now: Callable[[], int]
    """Plant time, µs UTC: what a fact that a person tells now carries."""
    choices: Any
    """A NiceGUI element in the header, for what can be chosen on this screen."""


@dataclass(frozen=True, slots=True)
class ScreenSpec(Generic[PictureT]):
    """A screen: `/<name>` and `/<name>/<path>`, by the name of its entry point. The first in order is at `/`, too."""

    title: str
    summary: str
    order: int
    """Place in the navigation; equal ones go by name."""
    classes: tuple[MessageClass, ...]
    """What its picture reads."""
    picture: Callable[[Plant | None], PictureT]
    """Made once for all visitors; None: the plant model cannot be read."""
    build: Callable[[Context[PictureT]], Callable[[], None]]
    """Draws the screen into the NiceGUI slot it is called in, and returns what is then called once a second."""


def registered() -> dict[str, ScreenSpec[Any]]:
    """Name → screen, in the order of the navigation. One that cannot be loaded is left out and logged: the rest is served."""
    screens: dict[str, ScreenSpec[Any]] = {}
    for entry in entry_points(group=GROUP):
        try:
            spec = entry.load()
        except Exception as error:  # whatever a third party's module does as it is imported
            log.error("screen left out", screen=entry.name, error=f"{type(error).__name__}: {error}")
            continue
        if isinstance(spec, ScreenSpec):
            screens[entry.name] = spec
        else:
            log.error("screen left out", screen=entry.name, error=f"{type(spec).__name__} is no ScreenSpec")
    return dict(sorted(screens.items(), key=lambda item: (item[1].order, item[0])))
