"""Where a metric belongs: which source of the configuration matches it, and the path and tag that its templates give. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from connectors.kit.payloads import BadPayload
from connectors.sparkplug.config import WORD, Source
from topology.namespace.path import BadPath, Path
from topology.sparkplug.topics import filters

NO_PATH = "no_path"


class Place(NamedTuple):
    """Where a metric's values go. What the value is part of (`.Member`) is set behind the tag."""

    path: Path
    tag: str


class Places:
    """The sources of a configuration, in their order."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self._named = {id(source): {name: tag for tag, name in source.fields.items()} for source in self._sources}

    def asked(self, group: str, node: str) -> bool:
        """Whether anything of an edge node is read."""
        return any(_one(source.group, group) and _one(source.node, node) for source in self._sources)

    def of(self, group: str, node: str, device: str | None, metric: str) -> Place | BadPayload | None:
        """The place of a metric; `BadPayload` where it would have one and its names are no path; None: it is not read."""
        for source in self._sources:
            if not _matches(source, group, node, device, metric):
                continue
            named = self._named[id(source)]
            if named and metric not in named:
                continue
            names = {"group": group, "node": node, "device": device or "", "metric": metric}
            try:
                path = Path.parse(_filled(source.path, names, source.level))
                tag = named.get(metric) or _filled(source.tag, names, str)
                return Place(path, tag) if tag else BadPayload(NO_PATH, "its name gives no tag")
            except BadPath as error:
                return BadPayload(NO_PATH, f"it gives no path: {error}; `levels: spelled` spells it anew")
        return None

    def topic_filters(self) -> list[str]:
        """What to subscribe to: no message comes by two of them."""
        edges = {(source.group, source.node) for source in self._sources}
        edges = {edge for edge in edges if not any(other != edge and _covers(other, edge) for other in edges)}
        if any(_meet(one, other) for one in edges for other in edges if one != other):
            edges = {("+", "+")}
        return [text for group, node in sorted(edges) for text in filters(group, node)]

    def named_nodes(self) -> list[tuple[str, str]]:
        """(group, node) of edge nodes that stand in the configuration by name: they can be asked before they speak."""
        return sorted({(s.group, s.node) for s in self._sources if "+" not in (s.group, s.node)})


def _one(wanted: str, name: str) -> bool:
    return wanted in ("+", name)


def _covers(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return all(a in ("+", b) for a, b in zip(one, other, strict=True))


def _meet(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return all(a == b or "+" in (a, b) for a, b in zip(one, other, strict=True))


def _matches(source: Source, group: str, node: str, device: str | None, metric: str) -> bool:
    if (source.device is None) != (device is None) or not (_one(source.group, group) and _one(source.node, node)):
        return False
    return (device is None or _one(source.device or "", device)) and _name_matches(source.metric, metric.split("/"))


def _name_matches(pattern: str, levels: Sequence[str]) -> bool:
    wanted = pattern.split("/")
    if wanted[-1] == "#":
        return len(levels) >= len(wanted) - 1 and _all_match(wanted[:-1], levels)
    return len(levels) == len(wanted) and _all_match(wanted, levels)


def _all_match(wanted: Iterable[str], levels: Iterable[str]) -> bool:
    return all(_one(word, level) for word, level in zip(wanted, levels, strict=False))


def _filled(template: str, names: dict[str, str], spell: Callable[[str], str]) -> str:
    """Raises `BadPath` for a level that the metric's name does not have."""
    levels = names["metric"].split("/")

    def word(match: re.Match[str]) -> str:
        if match["name"]:
            return spell(names[match["name"]])
        first = int(match["level"])
        if first >= len(levels):
            raise BadPath(f"metric {names['metric'][:200]!r} has no level {first}")
        return spell("/".join(levels[first:]) if match["rest"] else levels[first])

    return WORD.sub(word, template)
