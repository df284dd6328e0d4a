"""Options of controllers that are polled: machines behind one, and maps of tags that several share."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from pydantic import Field

from connectors.base import ConnectorConfig
from connectors.kit.levels import PathText
from topology.namespace.path import Path

TAGS_MAX = 100_000
"""Tags of one connector."""
PARTS_MAX = 64
"""Elements of an array."""


class PolledTag(ConnectorConfig):
    """What every tag has."""

    period_s: float | None = Field(
        None, ge=0.01, le=86_400, description="how often it is read. None: as the machine", examples=[60]
    )


TagT = TypeVar("TagT", bound=PolledTag)


class PolledMachine(ConnectorConfig, Generic[TagT]):
    """What of a controller belongs to one machine."""

    path: PathText = Field(description="path of the machine", examples=["acme/dallas/packaging/line-1/filler"])
    period_s: float = Field(1.0, ge=0.01, le=86_400, description="how often it is read")
    map: str | None = Field(None, description="one of `maps`, where machines of a kind are alike", examples=["filler"])
    tags: dict[str, TagT] = Field(
        default_factory=dict, description="tag → what it is; goes before what the map says of the same tag"
    )

    @property
    def location(self) -> Path:
        return Path.parse(self.path)

    def all_tags(self, maps: Mapping[str, Mapping[str, TagT]]) -> dict[str, TagT]:
        """Those of its map, and its own."""
        return {**maps.get(self.map or "", {}), **self.tags}


class PolledController(ConnectorConfig):
    """What every connection has."""

    timeout_s: float = Field(1.0, gt=0, le=60, description="longest wait for an answer")
    connect_timeout_s: float = Field(5.0, gt=0, le=60, description="longest wait for the connection")


def checked(
    controllers: Iterator[tuple[str, tuple[PolledMachine[TagT], ...]]], maps: Mapping[str, Mapping[str, TagT]]
) -> None:
    """Raises `ValueError` for an address that stands twice, a map that is not there, or a tag that is no name or twice."""
    urls: set[str] = set()
    seen: set[tuple[str, str]] = set()
    for url, machines in controllers:
        if url in urls:
            raise ValueError(f"{url} stands twice; put its machines under one")
        urls.add(url)
        for machine in machines:
            if machine.map is not None and machine.map not in maps:
                raise ValueError(f"{machine.path}: there is no map {machine.map!r}")
            if not (tags := machine.all_tags(maps)):
                raise ValueError(f"{machine.path}: give `tags` or a `map`")
            for tag in tags:
                if not tag or not tag.isprintable():
                    raise ValueError(f"{machine.path}: {tag!r} is no name of a tag")
                if (machine.path, tag) in seen:
                    raise ValueError(f"{machine.path}: the tag {tag} is there twice")
                seen.add((machine.path, tag))
    if len(seen) > TAGS_MAX:
        raise ValueError(f"{len(seen)} tags, at most {TAGS_MAX} are read by one connector")
