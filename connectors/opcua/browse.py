"""The variables below a node, all of them, by browse name: what is left out is told."""

from collections.abc import Sequence
from typing import NamedTuple

from asyncua import ua
from asyncua.client.ua_client import UaClient

from connectors.opcua.services import Pieces

NODES_MAX = 500_000
"""Nodes looked at below one root; a server that invents nodes must not fill the memory."""
WANTED = int(ua.NodeClass.Object) | int(ua.NodeClass.Variable)
_SERVER = ua.NodeId(ua.ObjectIds.Server, 0)


class NotThere(Exception):
    """The root cannot be browsed; its text is the status code."""


class Below(NamedTuple):
    variables: dict[str, ua.NodeId]
    """Tag → node. The names from below the root on, joined by dots; a name that comes twice has its namespace or its node id
    behind an @ from the second on."""
    left_out: tuple[str, ...]
    """What is there and not among the variables, and why."""


class _Parent(NamedTuple):
    prefix: str
    node: ua.NodeId
    variable: bool


class _References(NamedTuple):
    status: ua.StatusCode
    children: list[ua.ReferenceDescription]


async def below(
    services: UaClient, pieces: Pieces, root: ua.NodeId, namespaces: Sequence[str], variables_max: int
) -> Below:
    """Variables at any depth, those below variables too. Raises `NotThere`, and what the services raise.

    Properties of a variable (its unit, its range) describe it and are no tags; list them to have them.
    """
    variables: dict[str, ua.NodeId] = {}
    left_out: list[str] = []
    seen, properties, over = {root}, 0, 0
    level = [_Parent("", root, False)]
    while level:
        following: list[_Parent] = []
        for parent, references in zip(level, await _references(services, pieces, level), strict=True):
            if not references.status.is_good():
                if parent.node == root:
                    raise NotThere(references.status.name)
                left_out.append(f"below {parent.prefix[:-1]}: cannot be browsed ({references.status.name})")
            for child in references.children:
                if child.NodeId == _SERVER or child.NodeId in seen:
                    continue
                if len(seen) >= NODES_MAX:
                    over += 1
                    continue
                seen.add(child.NodeId)
                node, name = _plain(child.NodeId), f"{parent.prefix}{child.BrowseName.Name}"
                variable = child.NodeClass == ua.NodeClass.Variable
                if variable and parent.variable and child.ReferenceTypeId == ua.NodeId(ua.ObjectIds.HasProperty, 0):
                    properties += 1
                    continue
                if variable and len(variables) >= variables_max:
                    over += 1
                    continue
                if variable:
                    name = _free(name, child, variables, namespaces)
                    variables[name] = node
                following.append(_Parent(f"{name}.", node, variable))
        level = following
    if properties:
        left_out.append(f"{properties} properties of variables (units, ranges); list those that you want as tags")
    if over:
        left_out.append(f"{over} nodes: {variables_max} variables of {NODES_MAX} nodes are the most")
    return Below(variables, tuple(left_out))


def _free(name: str, child: ua.ReferenceDescription, taken: dict[str, ua.NodeId], namespaces: Sequence[str]) -> str:
    if name not in taken:
        return name
    index = child.BrowseName.NamespaceIndex
    by_namespace = f"{name}@{namespaces[index] if index < len(namespaces) else index}"
    return by_namespace if by_namespace not in taken else f"{name}@{child.NodeId.to_string()}"


def _plain(node: ua.NodeId) -> ua.NodeId:
    """Without what an expanded node id has more: servers know their own nodes."""
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)


async def _references(services: UaClient, pieces: Pieces, parents: Sequence[_Parent]) -> list[_References]:
    async def ask(part: Sequence[_Parent]) -> list[_References]:
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
