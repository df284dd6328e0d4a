"""What a server has, told as it is found: each variable with its type, unit, description and present value; and the YAML
that reads what was chosen of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from asyncua import Client, ua

from connectors.base import Found, LeftOut, SourceUnavailable
from connectors.kit.yaml_text import mapping, remark, text
from connectors.opcua.address import lasting
from connectors.opcua.browse import NotThere, Place, walk
from connectors.opcua.companions import roles_of
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.link import client_of, connect, disconnect
from connectors.opcua.services import NO_ANSWER, Pieces, words
from connectors.opcua.values import scalar
from schemas.records import Value

VARIABLES_MAX = 100_000
STEP = 100
"""Variables that are asked for what they are before they are told."""
HOLDERS = frozenset({"Machines", "DeviceSet"})
"""Folders of Machinery (OPC 40001-1) and Devices (OPC 10000-100): what stands in them is a machine."""
_FOLDER = ua.NodeId(ua.ObjectIds.FolderType, 0)
_OBJECTS = ua.NodeId(ua.ObjectIds.ObjectsFolder, 0)


async def browse(config: OpcUaConfig) -> AsyncIterator[Found | LeftOut]:
    """All variables below Objects, the server's own aside. Raises `SourceUnavailable`."""
    client = client_of(config)
    try:
        await connect(client, config)
        try:
            async for one in _inventory(client):
                yield one
        except (NotThere, *NO_ANSWER) as error:
            raise SourceUnavailable(f"OPC UA server {config.url} ended the browsing: {words(error)}") from error
    finally:
        await disconnect(client)


async def _inventory(client: Client) -> AsyncIterator[Found | LeftOut]:
    pieces, namespaces = Pieces(), await client.get_namespace_array()
    await pieces.learn(client.uaclient)
    described = _Described(client, pieces, namespaces)
    waiting: list[Place] = []
    standard = 0
    async for one in walk(client.uaclient, pieces, _OBJECTS, namespaces, VARIABLES_MAX):
        if isinstance(one, LeftOut):
            yield one
            continue
        if one.node.NamespaceIndex == 0:
            standard += 1
            continue
        waiting.append(one)
        if len(waiting) == STEP:
            for found in await described.of(waiting):
                yield found
            waiting = []
    for found in await described.of(waiting):
        yield found
    if standard:
        yield LeftOut(f"{standard} variables that OPC UA itself defines (aliases, locations)")


class _Described:
    """Reads what variables say of themselves, many a call."""

    def __init__(self, client: Client, pieces: Pieces, namespaces: Sequence[str]) -> None:
        self._services, self._pieces, self._namespaces = client.uaclient, pieces, namespaces
        self._types: dict[ua.NodeId, str] = {}

    async def of(self, places: Sequence[Place]) -> list[Found]:
        if not places:
            return []
        nodes = [place.node for place in places]
        types = await self._type_names(await self._read(nodes, ua.AttributeIds.DataType))
        descriptions = await self._read(nodes, ua.AttributeIds.Description)
        values = await self._read(nodes, ua.AttributeIds.Value)
        with_unit = [place for place in places if "EngineeringUnits" in place.properties]
        told = await self._read([one.properties["EngineeringUnits"] for one in with_unit], ua.AttributeIds.Value)
        units = {place.node: _unit(_content(value)) for place, value in zip(with_unit, told, strict=True)}
        found = []
        for place, kind, description, value in zip(places, types, descriptions, values, strict=True):
            machine, tag = machine_of(place)
            array = "[]" if value.Value is not None and value.Value.is_array else ""
            found.append(
                Found(
                    lasting(place.node, self._namespaces),
                    tag,
                    machine,
                    f"{kind}{array}",
                    units.get(place.node),
                    said if (said := _text(_content(description))) != _own_name(place) else "",
                    _sample(value),
                    roles_of(tag, _names(place), self._namespaces),
                )
            )
        return found

    async def _read(self, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds) -> list[ua.DataValue]:
        async def ask(part: Sequence[ua.NodeId]) -> list[ua.DataValue]:
            return list(await self._services.read_attributes(list(part), attribute))

        return await self._pieces.call("read", nodes, ask)

    async def _type_names(self, told: Sequence[ua.DataValue]) -> list[str]:
        """The names of data types, each asked for once."""
        types = [node if isinstance(node := _content(one), ua.NodeId) else None for one in told]
        new = [node for node in dict.fromkeys(types) if node is not None and node not in self._types]
        for node, name in zip(new, await self._read(new, ua.AttributeIds.BrowseName), strict=True):
            self._types[node] = getattr(_content(name), "Name", None) or str(node.to_string())
        return ["" if node is None else self._types[node] for node in types]


def machine_of(place: Place) -> tuple[str | None, str]:
    """What a variable belongs to, and its name from there on: what stands in a folder of machines; else the first object
    from the root that is no folder; else the first folder."""
    trail: list[Place] = []
    above = place.parent
    while above is not None and above.reference is not None:
        trail.append(above)
        above = above.parent
    trail.reverse()
    objects = [one for one in trail if not one.variable]
    if not objects:
        return None, place.name
    machine = objects[0]
    if _own_name(machine) in HOLDERS and len(objects) > 1:
        machine = objects[1]
    else:
        machine = next((one for one in objects if _kind(one) != _FOLDER), machine)
    return _own_name(machine), place.name[len(machine.name) + 1 :]


def listing(_config: OpcUaConfig, chosen: Mapping[str, Sequence[Found]]) -> str:
    """The `machines` that read what was chosen, a tag a line."""
    lines = ["machines:"]
    for path, found in chosen.items():
        lines += [f"  - path: {path}", "    tags:"]
        lines += [f"      {mapping(one.tag, text(one.address))}{remark(one)}" for one in found]
    return "\n".join(lines)


def _names(place: Place) -> list[ua.QualifiedName]:
    """The browse names of a variable and of what is above it, the nearest first."""
    names: list[ua.QualifiedName] = []
    one: Place | None = place
    while one is not None and one.reference is not None:
        names.append(one.reference.BrowseName)
        one = one.parent
    return names


def _own_name(place: Place) -> str:
    assert place.reference is not None
    return str(place.reference.BrowseName.Name)


def _kind(place: Place) -> ua.NodeId | None:
    return (
        None
        if place.reference is None
        else ua.NodeId(place.reference.TypeDefinition.Identifier, place.reference.TypeDefinition.NamespaceIndex)
    )


def _content(value: ua.DataValue) -> Any:
    return value.Value.Value if value.Value is not None else None


def _unit(raw: Any) -> str | None:
    """Of an EUInformation: what stands on displays, as `°C`."""
    return _text(getattr(raw, "DisplayName", None)) or None


def _text(raw: Any) -> str:
    return (raw.Text or "") if isinstance(raw, ua.LocalizedText) else ""


def _sample(value: ua.DataValue) -> Value:
    raw = _content(value)
    if raw is None or (value.Value is not None and value.Value.is_array):
        return None
    try:
        return scalar(raw, 0)
    except (TypeError, ValueError):
        return None
