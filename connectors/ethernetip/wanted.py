"""What is asked for: one name of a controller, and the tags that its answer becomes. Which names share a request. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from connectors.kit.polling.groups import Group
from topology.namespace.path import Path

NAME = re.compile(
    r"[A-Za-z_][\w:]*(?:\[\d+(?:,\d+){0,2}\])?(?:\.[A-Za-z_]\w*(?:\[\d+(?:,\d+){0,2}\])?)*(?:\.\d{1,2})?", re.ASCII
)
"""`Speed`, `Program:Main.Motor.Speed`, `Stations[2].Count`, `Status.3`, `Local:1:I.Data`."""
ITEMS_MAX = 200
OVERHEAD = 64
"""Bytes of a message that are neither names nor values."""
TEXT = 96
"""Bytes that a text of unknown length is expected to need."""


class Point(NamedTuple):
    """A tag of a path."""

    path: Path
    tag: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One name, and what is made of its answer."""

    path: Path
    tag: str
    name: str
    """As the controller knows it, without the bit."""
    count: int | None = None
    """Of an array, how many elements from there on."""
    bit: int | None = None
    text: bool = False
    """Whether it is a structure that stands for a text."""
    bits: bool = False
    """Whether the elements are the bits of what comes: an array of BOOL comes 32 in one."""
    members: bool = False
    """Whether it is still to be found out which names are in it: until then it has no tags."""

    @property
    def points(self) -> list[Point]:
        if self.members:
            return []
        if self.count is None:
            return [Point(self.path, self.tag)]
        return [Point(self.path, f"{self.tag}.{number}") for number in range(self.elements)]

    @property
    def elements(self) -> int:
        """How many values come of it."""
        return (self.count or 1) * (32 if self.bits else 1)

    def __str__(self) -> str:
        return self.name if self.bit is None else f"{self.name}.{self.bit}"


def groups(wanted: Iterable[Wanted], size: int) -> list[Group[Wanted]]:
    """Requests that fit messages of `size` bytes, and whose answers most likely do: how long those are, only they say."""
    packed: list[Group[Wanted]] = []
    inside: list[Wanted] = []
    asked = answered = OVERHEAD
    for one in wanted:
        ask, answer = 2 * len(one.name) + 12, 8 + (one.count or 1) * (TEXT if one.text else 8)
        if inside and (asked + ask > size or answered + answer > size or len(inside) == ITEMS_MAX):
            packed.append(Group(tuple(inside)))
            inside, asked, answered = [], OVERHEAD, OVERHEAD
        inside.append(one)
        asked, answered = asked + ask, answered + answer
    return packed + ([Group(tuple(inside))] if inside else [])
