"""What a server tells of its own structures, asked for as the first value of one comes. It may tell it anew on each connection."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from asyncua import ua
from asyncua.client.ua_client import UaClient

from connectors.opcua.services import Pieces
from connectors.opcua.structures import Description, Types, builtin, described, fields_of, standard

TYPES_MAX = 1_000
"""Types that are asked for on one connection."""
ROUNDS_MAX = 16
"""How deep types stand in types."""

STRUCTURE = ua.NodeId(ua.ObjectIds.Structure, 0)
"""What is derived from it is sent as its description says; without one, nobody knows."""


class Dictionary:
    """`saw` notes what is not known, `learn` asks for it, `opened` reads with it."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self.reopened()

    def reopened(self) -> None:
        """A new connection: the server may have numbered its namespaces anew."""
        self._types: dict[ua.NodeId, ua.NodeId] = {}
        """Encoding, as values name it → data type."""
        self._structures: dict[ua.NodeId, Description] = {}
        self._simple: dict[ua.NodeId, ua.VariantType] = {}
        self._asked: set[ua.NodeId] = set()
        self.unknown: set[ua.NodeId] = set()
        """Encodings of values that wait, not asked for yet."""

    def saw(self, value: ua.DataValue) -> None:
        for thing in _closed(value):
            if thing.TypeId not in self._asked and len(self._asked) < TYPES_MAX:
                self.unknown.add(_plain(thing.TypeId))

    async def learn(self, services: UaClient) -> None:
        """Asks for what is unknown; what the server refuses stays so. Raises what means that it does not answer."""
        encodings, self.unknown = sorted(self.unknown, key=str), set()
        self._asked.update(encodings)
        try:
            types = await self._browse(services, encodings, ua.ObjectIds.HasEncoding)
            self._types |= {encoding: type_ for encoding, type_ in types.items() if type_ is not None}
            await self._describe(services, [type_ for type_ in types.values() if type_ is not None])
        except ua.UaStatusCodeError:
            return

    def opened(self, value: ua.DataValue) -> ua.DataValue:
        """The value with its structures read, as far as they are described."""
        if not any(True for _ in _closed(value)):
            return value
        return replace(value, Value=ua.Variant(self._open(value.Value.Value), ua.VariantType.Variant))

    def _open(self, raw: Any) -> Any:
        if isinstance(raw, list):
            return [self._open(part) for part in raw]
        if not isinstance(raw, ua.ExtensionObject) or (type_ := self._types.get(_plain(raw.TypeId))) is None:
            return raw
        try:
            return fields_of(Types(self._structures, self._simple), type_, raw.Body or b"")
        except ValueError:
            return raw

    async def _describe(self, services: UaClient, types: Sequence[ua.NodeId]) -> None:
        wanted, known = list(types), set(self._structures) | set(self._simple)
        for _ in range(ROUNDS_MAX):
            wanted = [type_ for type_ in dict.fromkeys(wanted) if type_ not in known and not standard(type_)][
                :TYPES_MAX
            ]
            if not wanted:
                return
            known.update(wanted)
            wanted = await self._round(services, wanted)

    async def _round(self, services: UaClient, wanted: list[ua.NodeId]) -> list[ua.NodeId]:
        """Takes in what the server says of these types; returns those that they are made of."""

        async def ask(part: Sequence[ua.NodeId]) -> Sequence[ua.DataValue]:
            answers: list[ua.DataValue] = await services.read_attributes(list(part), ua.AttributeIds.DataTypeDefinition)
            return answers

        following: list[ua.NodeId] = []
        plain: list[ua.NodeId] = []
        for type_, answer in zip(wanted, await self._pieces.call("read", wanted, ask), strict=True):
            definition = answer.Value.Value if answer.Value is not None else None
            if (description := described(definition)) is not None:
                self._structures[type_] = description
                following += [field.type for field in description.fields]
            elif isinstance(definition, ua.EnumDefinition):
                self._simple[type_] = ua.VariantType.Int32
            else:
                plain.append(type_)
        await self._bases(services, plain)
        return following

    async def _bases(self, services: UaClient, types: list[ua.NodeId]) -> None:
        """Of types that have no description of their own (a Duration): what they are derived from."""
        below = {type_: [type_] for type_ in types}
        for _ in range(ROUNDS_MAX):
            if not below:
                return
            above = await self._browse(services, list(below), ua.ObjectIds.HasSubtype)
            following: dict[ua.NodeId, list[ua.NodeId]] = {}
            for here, derived in below.items():
                base = above[here]
                kind = _sent_as(base)
                if kind is not None:
                    self._simple |= dict.fromkeys(derived, kind)
                elif base is not None and base != STRUCTURE:
                    following.setdefault(base, []).extend(derived)
            below = following

    async def _browse(
        self, services: UaClient, nodes: Sequence[ua.NodeId], reference: int
    ) -> dict[ua.NodeId, ua.NodeId | None]:
        """Node → the one that refers to it in this way."""

        async def ask(part: Sequence[ua.NodeId]) -> Sequence[ua.BrowseResult]:
            parameters = ua.BrowseParameters()
            parameters.NodesToBrowse = [_inverse(node, reference) for node in part]
            results: list[ua.BrowseResult] = await services.browse(parameters)
            return results

        answers = await self._pieces.call("browse", nodes, ask)
        return {
            node: _plain(answer.References[0].NodeId) if answer.References else None
            for node, answer in zip(nodes, answers, strict=True)
        }


def _sent_as(base: ua.NodeId | None) -> ua.VariantType | None:
    """How values of a type derived from this one are sent, if it says that."""
    if base is None or base == STRUCTURE:
        return None
    return ua.VariantType.Int32 if base == ua.NodeId(ua.ObjectIds.Enumeration, 0) else builtin(base)


def _closed(value: ua.DataValue) -> Iterable[ua.ExtensionObject]:
    """The structures of a value that nobody has read yet."""
    if value.Value is None or value.Value.VariantType is not ua.VariantType.ExtensionObject:
        return ()
    raw = value.Value.Value
    parts = raw if isinstance(raw, list) else (raw,)
    return (part for part in parts if isinstance(part, ua.ExtensionObject) and part.Body is not None)


def _inverse(node: ua.NodeId, reference: int) -> ua.BrowseDescription:
    description = ua.BrowseDescription()
    description.NodeId = node
    description.BrowseDirection = ua.BrowseDirection.Inverse
    description.ReferenceTypeId = ua.NodeId(reference, 0)
    description.IncludeSubtypes = False
    description.NodeClassMask = 0
    description.ResultMask = ua.BrowseResultMask.All
    return description


def _plain(node: ua.NodeId) -> ua.NodeId:
    """Without what an expanded node id has more: servers know their own nodes."""
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
