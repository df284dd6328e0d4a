"""The registry of connectors and sinks: entry points, ours and third parties' alike."""

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from connectors.base import ConnectorSpec
from sinks.base import SinkSpec

CONNECTORS, SINKS = "uns.connectors", "uns.sinks"


class UnknownComponent(LookupError):
    """No connector or sink is registered by this name; the message names the nearest."""


@cache
def names(group: str) -> tuple[str, ...]:
    """What is registered in a group, by name."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


@cache
def connector_spec(protocol: str) -> ConnectorSpec[Any]:
    """Raises `UnknownComponent`."""
    found = _entry(CONNECTORS, protocol).load()
    if not isinstance(found, ConnectorSpec):
        raise UnknownComponent(
            f"connector {protocol!r}: its entry point is a {type(found).__name__}, a ConnectorSpec is expected"
        )
    return found


@cache
def sink_spec(kind: str) -> SinkSpec[Any]:
    """Raises `UnknownComponent`."""
    found = _entry(SINKS, kind).load()
    if not isinstance(found, SinkSpec):
        raise UnknownComponent(f"sink {kind!r}: its entry point is a {type(found).__name__}, a SinkSpec is expected")
    return found


def _entry(group: str, name: str) -> EntryPoint:
    for entry in entry_points(group=group):
        if entry.name == name:
            return entry
    known = names(group)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
    raise UnknownComponent(f"{group.removeprefix('uns.').removesuffix('s')} {name!r} is not registered; {hint}")
