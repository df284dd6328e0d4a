"""Sparkplug's topics, and the STATE by which a host says that it is there. Pure."""

import json
from typing import Literal, NamedTuple, cast

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
BD_SEQ = "bdSeq"
"""Of metrics: what a host asks by, and the number by which a death finds its birth."""
Kind = Literal["NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDEATH", "DDATA"]
NODE_KINDS, DEVICE_KINDS = ("NBIRTH", "NDEATH", "NDATA"), ("DBIRTH", "DDEATH", "DDATA")


class EdgeTopic(NamedTuple):
    """Whose message it is, and of which kind; `device` None: the edge node's own."""

    group: str
    kind: Kind
    node: str
    device: str | None


def edge_topic(topic: str) -> EdgeTopic | None:
    """What an edge node's topic says; None for any other topic: commands, STATE, and what is no Sparkplug."""
    levels = topic.split("/")
    if levels[0] != NAMESPACE or not all(levels):
        return None
    if len(levels) == 4 and levels[2] in NODE_KINDS:
        return EdgeTopic(levels[1], cast("Kind", levels[2]), levels[3], None)
    if len(levels) == 5 and levels[2] in DEVICE_KINDS:
        return EdgeTopic(levels[1], cast("Kind", levels[2]), levels[3], levels[4])
    return None


def filters(group: str, node: str) -> list[str]:
    """The topic filters of an edge node's messages; `+` for any group or node. None of them sees commands or STATE."""
    return [
        *(f"{NAMESPACE}/{group}/{kind}/{node}" for kind in NODE_KINDS),
        *(f"{NAMESPACE}/{group}/{kind}/{node}/+" for kind in DEVICE_KINDS),
    ]


def command_topic(group: str, node: str) -> str:
    return f"{NAMESPACE}/{group}/NCMD/{node}"


def state_topic(host_id: str) -> str:
    return f"{NAMESPACE}/STATE/{host_id}"


def state(online: bool, at_ms: int) -> bytes:
    return json.dumps({"online": online, "timestamp": at_ms}).encode()


def says_offline(payload: bytes) -> bool:
    """Whether a STATE says that its host is gone."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("online") is False


def of_edge(group: str, kind: Kind, node: str, device: str | None = None) -> str:
    """The topic of an edge node's message, its own or one of its devices."""
    return f"{NAMESPACE}/{group}/{kind}/{node}" + (f"/{device}" if device is not None else "")
