"""What a screen is, and which there are: entry points in the group `uns.screens`, ours and third parties' alike."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import structlog

from schemas.records import Derived
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass

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
View = dict[str, Any]
"""What a screen shows, ready for JSON: part → its words and numbers. Times are µs UTC of the plant's clock. A part that has
not changed is not sent again, so parts should be cut by how often they change."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What somebody who looks at a screen has asked for."""

    place: str = ""
    """Path behind the route; empty: none, and the screen chooses."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What was chosen on the screen, by the query of its address; anybody may write anything there."""
    now: int = 0
    """Plant time, µs UTC: the newest that any snapshot has shown."""


class UnknownPlace(LookupError):
    """Raised by a view whose place is not one of the screen's; the page then says so, with the nearest of `known`."""

    def __init__(self, place: str, known: Iterable[str]) -> None:
        super().__init__(place)
        self.place, self.known = place, tuple(known)


@dataclass(frozen=True, slots=True)
class ScreenSpec(Generic[PictureT]):
    """A screen: `/<name>` and `/<name>/<path>`, by the name of its entry point. The first in order is at `/`, too."""

    title: str
    """Of a screen that has no `screen.title` in its language files."""
    summary: str
    order: int
    """Place in the navigation; equal ones go by name."""
    classes: tuple[MessageClass, ...]
    """What its picture reads."""
    picture: Callable[[Plant | None], PictureT]
    """Made once for all visitors, and once for all screens that name the same function; None: the plant model cannot be
    read."""
    view: Callable[[PictureT, Visit], View]
    """What is shown at a place. Pure; called under the feed's lock at most once a second for all who ask the same.
    Raises `UnknownPlace`."""
    static: Path
    """A folder with `screen.js`, which exports `draw(root, view, page)`; with `screen.css` and `lang/<language>.json`, if
    there are any. All in it is served under `/screens/<name>/`."""
    bare: bool = False
    """Without the frame's header and navigation: for a screen on a wall."""


Screens = Mapping[str, tuple[ScreenSpec[Any], Picture]]
"""Name → a screen and its picture, in the order of the navigation."""


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


def pictured(specs: Mapping[str, ScreenSpec[Any]], plant: Plant | None) -> dict[str, tuple[ScreenSpec[Any], Picture]]:
    """The screens with their pictures."""
    made: dict[Any, Picture] = {}
    for spec in specs.values():
        if spec.picture not in made:
            made[spec.picture] = spec.picture(plant)
    return {name: (spec, made[spec.picture]) for name, spec in specs.items()}
