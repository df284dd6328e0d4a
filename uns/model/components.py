"""The registry of connectors and sinks: entry points, ours and third parties' alike."""

from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from connectors.base import ConnectorSpec
from sinks.base import SinkProfile, SinkSpec
from topology.nearest import hint

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
    spec = _entry(CONNECTORS, protocol).load()
    if not isinstance(spec, ConnectorSpec):
        raise UnknownComponent(
            f"connector {protocol!r}: its entry point is a {type(spec).__name__}, a ConnectorSpec is expected"
        )
    return spec


@cache
def sink_spec(kind: str) -> SinkSpec[Any]:
    """Raises `UnknownComponent`."""
    spec = _entry(SINKS, kind).load()
    if not isinstance(spec, SinkSpec):
        raise UnknownComponent(f"sink {kind!r}: its entry point is a {type(spec).__name__}, a SinkSpec is expected")
    return spec


def profiles() -> Iterator[tuple[str, SinkProfile]]:
    """The known systems that sinks of each kind can be configured for by name, with the kind."""
    for kind in names(SINKS):
        for profile in sink_spec(kind).profiles():
            yield kind, profile


def _entry(group: str, name: str) -> EntryPoint:
    for entry in entry_points(group=group):
        if entry.name == name:
            return entry
    kind = group.removeprefix("uns.").removesuffix("s")
    raise UnknownComponent(f"{kind} {name!r} is not registered; {hint(name, names(group))}")
