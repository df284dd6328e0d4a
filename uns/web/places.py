"""Which place of a screen a visit means. Pure."""

from collections.abc import Sequence

from uns.web.screen import UnknownPlace


def line_of(place: str, lines: Sequence[str]) -> str | None:
    """The line that a path names, or that a machine of it is on; without a path, the first. None: there are no lines yet, and
    none was asked for. A place above lines means the first line in it. Raises `UnknownPlace`."""
    if not place:
        return lines[0] if lines else None
    for line in lines:
        if place == line or place.startswith(f"{line}/") or line.startswith(f"{place}/"):
            return line
    raise UnknownPlace(place, lines)
