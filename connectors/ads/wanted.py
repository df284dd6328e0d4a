"""What is asked for: one variable of a controller, and the tags that it becomes. Which share a request. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from connectors.ads.kinds import Kind
from connectors.kit.polling.groups import Group
from topology.namespace.path import Path

NAME = re.compile(r"\.?[A-Za-z_]\w*(?:\[-?\d+(?:,-?\d+)*\]|\^|\.(?=[A-Za-z_])\w+)*", re.ASCII)
"""`MAIN.nCount`, `GVL.aStations[2].fSpeed`, `.bRunning` (TwinCAT 2), `MAIN.pMotor^.fSpeed`."""
NAME_MAX = 255
ITEMS_MAX = 500
"""Variables of one request; Beckhoff asks for no more."""


class Point(NamedTuple):
    """A tag of a path."""

    path: Path
    tag: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One variable, and what is made of it."""

    path: Path
    tag: str
    name: str
    port: int = 851
    """The AMS port of the program that has it."""
    count: int | None = None
    """Of an array, how many elements from its first one on."""
    bit: int | None = None
    type: Kind | None = None
    """What it is said to be; None: the symbol says it."""

    @property
    def points(self) -> list[Point]:
        if self.count is None:
            return [Point(self.path, self.tag)]
        return [Point(self.path, f"{self.tag}.{number}") for number in range(self.count)]

    def __str__(self) -> str:
        return self.name if self.bit is None else f"{self.name}, bit {self.bit}"


def groups(wanted: Iterable[Wanted]) -> list[Group[Wanted]]:
    """Requests, each of one program: one that is stopped or away is no affair of another's."""
    by_port: dict[int, list[Wanted]] = {}
    for one in wanted:
        by_port.setdefault(one.port, []).append(one)
    return [
        Group(tuple(ours[at : at + ITEMS_MAX]), port)
        for port, ours in by_port.items()
        for at in range(0, len(ours), ITEMS_MAX)
    ]
