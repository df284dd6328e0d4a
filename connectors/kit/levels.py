"""Options that say how names of a source become parts of a path. To be mixed into whatever maps names."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from connectors.base import ConnectorConfig
from topology.namespace.path import BadPath, Path, suggestion

NAME_MAX = 200
"""Characters of a name that an error repeats."""


class Levels(ConnectorConfig):
    """How a name of the source is spelled in a path."""

    levels: Literal["as_they_are", "lower", "spelled", "paths"] = Field(
        "as_they_are",
        description="how a name becomes a part of the path; `lower`: without capitals; "
        "`spelled`: Line 1 and Füller_A become line-1 and fuller-a; `paths`: it is one of our paths, whole or in part",
    )
    names: dict[str, str] = Field(
        default_factory=dict,
        description="name → part of the path, for names that are to become another one; of others `levels` says it",
        examples=[{"Abfüller_3": "filler-3", "M12": "line-1/capper"}],
    )

    @field_validator("names")
    @classmethod
    def _names(cls, names: dict[str, str]) -> dict[str, str]:
        for part in names.values():
            Path.parse(part)
        return names

    def level(self, name: str) -> str:
        """A part of a path; what it is not good for, making the path says. Raises `BadPath` for what would be several parts."""
        if (known := self.names.get(name)) is not None:
            return known
        if self.levels == "lower":
            name = name.lower()
        if self.levels == "spelled":
            return suggestion(name.replace("/", "-")) or name
        if "/" in name and self.levels != "paths":
            raise BadPath(f"{name[:NAME_MAX]!r} has a slash in it")
        return name


def _path(text: str) -> str:
    Path.parse(text)  # its BadPath is a ValueError, with good words
    return text


PathText = Annotated[str, AfterValidator(_path)]
"""An option that is a whole path."""


def checked_template(text: str, place: re.Pattern[str]) -> str:
    """A path in which places are filled in later. Raises `ValueError` for what can be no path, whatever fills them."""
    Path.parse(place.sub("x", text))
    return text
