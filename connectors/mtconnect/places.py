"""Which data item is which tag of which path, by the agent's own model of its devices. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from connectors.mtconnect.codec import DataItem, Device
from connectors.mtconnect.config import PLACE, Machine
from topology.namespace.path import Path

NAMED_MAX = 10
"""Names that a sentence lists."""
NUMERIC_EVENTS = frozenset(
    {
        "ACTIVATION_COUNT",
        "AXIS_FEEDRATE_OVERRIDE",
        "BLOCK_COUNT",
        "CYCLE_COUNT",
        "DEACTIVATION_COUNT",
        "HARDNESS",
        "LINE_NUMBER",
        "LOAD_COUNT",
        "PART_COUNT",
        "PATH_FEEDRATE_OVERRIDE",
        "PROGRAM_NEST_LEVEL",
        "ROTARY_VELOCITY_OVERRIDE",
        "TRANSFER_COUNT",
        "UNLOAD_COUNT",
    }
)
"""Events whose value is a number by the standard; so is that of each event with units."""


class Place(NamedTuple):
    """A data item and the tags it feeds."""

    item: DataItem
    tags: tuple[tuple[Path, str], ...]

    @property
    def numeric(self) -> bool:
        """Whether its value is a number; else it is text, whatever it looks like: a program may be named 0017."""
        return self.item.category == "SAMPLE" or self.item.type in NUMERIC_EVENTS or bool(self.item.units)


class Map(NamedTuple):
    places: Mapping[str, Place]
    """By id of the data item."""
    known: frozenset[str]
    """Ids of all data items that the agent has, those that nobody asked for too."""
    paths: tuple[Path, ...]
    """Machines whose device is there."""
    only: str | None
    """The one device, of several, that is asked for; None: the agent is asked for all."""
    problems: tuple[str, ...]


def mapped(machines: Sequence[Machine], devices: Sequence[Device]) -> Map:
    """Devices and data items that are not there are named in `problems`; what is there is read."""
    tags: dict[str, list[tuple[Path, str]]] = {}
    problems: list[str] = []
    paths: list[Path] = []
    only: str | None = None
    for machine in machines:
        device = _device(machine, devices)
        if isinstance(device, str):
            problems.append(f"{machine.path}: {device}")
            continue
        paths.append(machine.location)
        only = (device.name or device.uuid) if len(machines) == 1 < len(devices) else None
        for item, tag in _tags(machine, device, problems):
            tags.setdefault(item, []).append((machine.location, tag))
    items = {item.id: item for device in devices for item in device.items}
    places = {id_: Place(items[id_], tuple(fed)) for id_, fed in tags.items()}
    return Map(places, frozenset(items), tuple(paths), only or None, tuple(problems))


def _device(machine: Machine, devices: Sequence[Device]) -> Device | str:
    """The device of a machine, or why there is none."""
    there = [device for device in devices if device.kind != "Agent"] or list(devices)
    if machine.device is None:
        if len(there) == 1:
            return there[0]
        return f"the agent has {len(there)} devices, name one: {_some(device.name or device.uuid for device in there)}"
    for by in ("uuid", "name", "id"):
        found = [device for device in devices if getattr(device, by) == machine.device]
        if found:
            return found[0]
    return f"the agent has no device {machine.device!r}, but {_some(device.name or device.uuid for device in there)}"


def _tags(machine: Machine, device: Device, problems: list[str]) -> Iterable[tuple[str, str]]:
    """(id of the data item, tag). A tag that comes twice has the id of its data item behind an @ from the second on."""
    by_id = {item.id: item for item in device.items}
    by_name = {item.name: item for item in reversed(device.items) if item.name}
    fed: dict[str, str] = {}
    missing = []
    for tag, wanted in machine.tags.items():
        item = by_id.get(wanted) or by_name.get(wanted)
        if item is None:
            missing.append(f"{tag} ({wanted})")
        else:
            fed[tag] = item.id
    if missing:
        problems.append(f"{machine.path}: the device has no data item for {_some(missing)}")
    listed = set(fed.values())
    if machine.template is not None:
        for item in device.items:
            if item.id in listed:
                continue
            tag = _filled(machine.template, item)
            fed[tag if tag not in fed else f"{tag}@{item.id}"] = item.id
    return [(id_, tag) for tag, id_ in fed.items()]


def _filled(template: str, item: DataItem) -> str:
    words = {
        "id": item.id,
        "name": item.name or item.id,
        "type": item.type,
        "subType": item.sub_type,
        "component": item.component,
    }
    return PLACE.sub(lambda match: words[match[1]], template)


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - NAMED_MAX} more" if len(every) > NAMED_MAX else ""
    return ", ".join(every[:NAMED_MAX]) + more if every else "none"
