"""Node ids as people write them: `ns=2;s=Name`, `i=85`, or `nsu=urn:maker:line;s=Name` with the namespace's own URI."""

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

from asyncua import ua

_PLAIN = "/:?#[]@!$&'()*+,=~"
"""Of a URI what stands as it is; a semicolon would end it."""
_BY_URI = re.compile(r"nsu=(?P<uri>.+?);(?P<id>[isgb]=.*)", re.DOTALL)


class UnknownNamespace(ValueError):
    """The server has no namespace of that URI."""


def checked(text: str) -> str:
    """The text of a node id. Raises ValueError with what is expected."""
    try:
        _parsed(text)
    except (ua.UaError, ValueError, IndexError) as error:
        raise ValueError(f"{text!r} is no node id; ns=2;s=Name, i=7 or nsu=urn:maker;s=Name is expected") from error
    return text


def resolve(text: str, namespaces: Sequence[str]) -> ua.NodeId:
    """The node id at a server with these namespaces, in its order. Raises `UnknownNamespace`.

    The index of a namespace may differ after each start of a server; its URI does not.
    """
    node, uri = _parsed(text)
    if uri is None:
        return node
    if uri not in namespaces:
        raise UnknownNamespace(f"the server has no namespace {uri}; it has {', '.join(namespaces)}")
    return ua.NodeId(node.Identifier, namespaces.index(uri))


def lasting(node: ua.NodeId, namespaces: Sequence[str]) -> str:
    """The text of a node id that holds over restarts: with the namespace's URI. What `resolve` makes this node of again."""
    text = str(ua.NodeId(node.Identifier, 0, node.NodeIdType).to_string())
    if not 0 < node.NamespaceIndex < len(namespaces):
        return str(node.to_string()) if node.NamespaceIndex else text
    return f"nsu={quote(namespaces[node.NamespaceIndex], safe=_PLAIN)};{text}"


def _parsed(text: str) -> tuple[ua.NodeId, str | None]:
    by_uri = _BY_URI.fullmatch(text)
    if by_uri is None:
        if text.startswith("nsu="):
            raise ValueError("no identifier behind the namespace")
        return ua.NodeId.from_string(text), None
    return ua.NodeId.from_string(by_uri["id"]), unquote(by_uri["uri"])
