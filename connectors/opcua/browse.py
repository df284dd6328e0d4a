"""The variables below a node, all of them, by browse name: what is left out is told."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from asyncua import ua
from asyncua.client.ua_client import UaClient

from connectors.base import LeftOut
from connectors.opcua.services import Pieces

NODES_MAX = 500_000
"""Nodes looked at below one root; a server that invents nodes must not fill the memory."""
STEP = 200
"""Nodes that are asked for their children before what was found is told."""
WANTED = int(ua.NodeClass.Object) | int(ua.NodeClass.Variable)
_SERVER = ua.NodeId(ua.ObjectIds.Server, 0)
_PROPERTY = ua.NodeId(ua.ObjectIds.HasProperty, 0)


class NotThere(Exception):
    """The root cannot be browsed; its text is the status code."""


@dataclass(slots=True, eq=False)
class Place:
    """A node below the root, and what leads to it."""

    name: str
    """The names from below the root on, joined by dots; a name that comes twice has its namespace or its node id behind an @
    from the second on."""
    node: ua.NodeId
    reference: ua.ReferenceDescription | None = None
    """How its parent names it; None: it is the root."""
    parent: "Place | None" = None
    properties: dict[str, ua.NodeId] = field(default_factory=dict)
    """What describes a variable (its unit, its range), by browse name."""

    @property
    def variable(self) -> bool:
        return self.reference is not None and self.reference.NodeClass == ua.NodeClass.Variable


class Below(NamedTuple):
    variables: dict[str, ua.NodeId]
    """Tag → node."""
    left_out: tuple[str, ...]
    """What is there and not among the variables, and why."""


class _References(NamedTuple):
    status: ua.StatusCode
    children: list[ua.ReferenceDescription]


async def below(
    services: UaClient, pieces: Pieces, root: ua.NodeId, namespaces: Sequence[str], variables_max: int
) -> Below:
    """All at once. Raises `NotThere`, and what the services raise."""
    variables: dict[str, ua.NodeId] = {}
    left_out: list[str] = []
    async for one in walk(services, pieces, root, namespaces, variables_max):
        if isinstance(one, LeftOut):
            left_out.append(one.what)
        else:
            variables[one.name] = one.node
    return Below(variables, tuple(left_out))


async def walk(
    services: UaClient, pieces: Pieces, root: ua.NodeId, namespaces: Sequence[str], variables_max: int
) -> AsyncIterator[Place | LeftOut]:
    """Variables at any depth, those below variables too, each once its properties are known. Raises `NotThere`, and what the
    services raise.

    Properties of a variable (its unit, its range) describe it and are no tags; list them to have them.
    """
    growth = _Growth(root, namespaces, variables_max)
    level = [Place("", root)]
    while level:
        following: list[Place] = []
        for begin in range(0, len(level), STEP):
            step = level[begin : begin + STEP]
            for parent, references in zip(step, await _references(services, pieces, step), strict=True):
                if not references.status.is_good():
                    if parent.node == root:
                        raise NotThere(references.status.name)
                    yield LeftOut(f"below {parent.name}: cannot be browsed ({references.status.name})")
                following += growth.children(parent, references.children)
                if parent.variable:
                    yield parent
        level = following
    for what in growth.left_out():
        yield LeftOut(what)


class _Growth:
    """What was seen so far: nothing is taken twice, and not more than is allowed."""

    def __init__(self, root: ua.NodeId, namespaces: Sequence[str], variables_max: int) -> None:
        self._namespaces, self._variables_max = namespaces, variables_max
        self._seen = {root}
        self._names: set[str] = set()
        """Of variables."""
        self._properties = self._over = 0

    def children(self, parent: Place, references: Sequence[ua.ReferenceDescription]) -> list[Place]:
        """Those of them that are to be looked at."""
        taken: list[Place] = []
        for child in references:
            if child.NodeId == _SERVER or child.NodeId in self._seen:
                continue
            if len(self._seen) >= NODES_MAX:
                self._over += 1
                continue
            self._seen.add(child.NodeId)
            browse_name = child.BrowseName.Name
            one = Place(
                f"{parent.name}.{browse_name}" if parent.name else browse_name, _plain(child.NodeId), child, parent
            )
            if one.variable and parent.variable and child.ReferenceTypeId == _PROPERTY:
                parent.properties[browse_name] = one.node
                self._properties += 1
                continue
            if one.variable and len(self._names) >= self._variables_max:
                self._over += 1
                continue
            if one.variable:
                one.name = self._free(one.name, child)
                self._names.add(one.name)
            taken.append(one)
        return taken

    def left_out(self) -> list[str]:
        told = []
        if self._properties:
            told.append(f"{self._properties} properties of variables (units, ranges); list those that you want as tags")
        if self._over:
            told.append(f"{self._over} nodes: {self._variables_max} variables of {NODES_MAX} nodes are the most")
        return told

    def _free(self, name: str, child: ua.ReferenceDescription) -> str:
        if name not in self._names:
            return name
        index = child.BrowseName.NamespaceIndex
        by_namespace = f"{name}@{self._namespaces[index] if index < len(self._namespaces) else index}"
        return by_namespace if by_namespace not in self._names else f"{name}@{child.NodeId.to_string()}"


def _plain(node: ua.NodeId) -> ua.NodeId:
    """Without what an expanded node id has more: servers know their own nodes."""
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)


async def _references(services: UaClient, pieces: Pieces, parents: Sequence[Place]) -> list[_References]:
    async def ask(part: Sequence[Place]) -> list[_References]:
        parameters = ua.BrowseParameters()
        parameters.NodesToBrowse = [_description(parent.node) for parent in part]
        results = [_References(result.StatusCode, list(result.References or ())) for result in await _all(parameters)]
        short = [n for n, result in enumerate(results) if result.status.value == ua.StatusCodes.BadNoContinuationPoints]
        for n in short if len(part) > 1 else ():  # the server keeps only so many answers open: again, alone
            results[n] = (await ask([part[n]]))[0]
        return results

    async def _all(parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
        """The answers with everything that follows them."""
        results: list[ua.BrowseResult] = await services.browse(parameters)
        open_ones = [result for result in results if result.ContinuationPoint]
        while open_ones:
            following = ua.BrowseNextParameters()
            following.ReleaseContinuationPoints = False
            following.ContinuationPoints = [result.ContinuationPoint for result in open_ones]
            for result, more in zip(open_ones, await services.browse_next(following), strict=True):
                result.References = [*(result.References or ()), *(more.References or ())]
                result.ContinuationPoint = more.ContinuationPoint
                if not more.StatusCode.is_good():
                    result.StatusCode = more.StatusCode
            open_ones = [result for result in open_ones if result.ContinuationPoint]
        return results

    return await pieces.call("browse", parents, ask)


def _description(node: ua.NodeId) -> ua.BrowseDescription:
    description = ua.BrowseDescription()
    description.NodeId = node
    description.BrowseDirection = ua.BrowseDirection.Forward
    description.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HierarchicalReferences, 0)
    description.IncludeSubtypes = True
    description.NodeClassMask = WANTED
    description.ResultMask = ua.BrowseResultMask.All
    return description
