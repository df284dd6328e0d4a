"""Node ids by index and by the namespace's URI, whose index differs after each start of a server."""

import pytest
from asyncua import ua

from connectors.opcua.address import UnknownNamespace, checked, resolve

UA = "http://opcfoundation.org/UA/"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i=85", ua.NodeId(85, 0)),
        ("ns=2;s=filler", ua.NodeId("filler", 2)),
        ("nsu=urn:maker:line;s=filler", ua.NodeId("filler", 1)),
        ("nsu=urn:maker:line;s=a;i=7", ua.NodeId("a;i=7", 1)),
        ("nsu=urn:with%3Bsemicolon;i=7", ua.NodeId(7, 2)),
        (f"nsu={UA};i=85", ua.NodeId(85, 0)),
    ],
)
def test_resolves(text: str, expected: ua.NodeId) -> None:
    assert checked(text) == text
    assert resolve(text, [UA, "urn:maker:line", "urn:with;semicolon"]) == expected


def test_an_index_that_moved_is_found_again() -> None:
    text = "nsu=urn:maker;s=A"
    assert resolve(text, [UA, "urn:maker"]).NamespaceIndex == 1
    assert resolve(text, [UA, "urn:server", "urn:other", "urn:maker"]).NamespaceIndex == 3


def test_a_namespace_that_the_server_does_not_have() -> None:
    with pytest.raises(UnknownNamespace, match=r"no namespace urn:gone; it has .*UA/"):
        resolve("nsu=urn:gone;s=A", [UA])


@pytest.mark.parametrize("text", ["filler", "ns=x;s=A", "nsu=urn:maker", "nsu=urn:maker;filler", "nsu=;s=A", ""])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no node id"):
        checked(text)
