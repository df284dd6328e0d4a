"""Which names are in a structure or an array, by the tag list of a controller. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from connectors.ethernetip.wanted import Wanted
from connectors.kit.polling.config import PARTS_MAX

DEPTH_MAX = 16
_LEVEL = re.compile(r"(?P<name>[^\[]+)(?:\[(?P<places>[\d,]+)\])?")
Definition = Mapping[str, Any]
"""As pycomm3 has it: `tag_type`, `data_type` (a name, or of a structure a mapping with `internal_tags` and `attributes`)."""


class NotThere(ValueError):
    """The tag list has no such name, or more in it than can be read; says which."""


def expanded(wanted: Wanted, tags: Mapping[str, Definition]) -> list[Wanted]:
    """All that is in it, each by a name of its own. Raises `NotThere`."""
    found = list(_inside(replace(wanted, members=False), *_look_up(wanted.name, tags), 0))
    if not found:
        raise NotThere(f"{wanted.name} has no member that can be read")
    if (parts := sum(one.elements for one in found)) > PARTS_MAX:
        raise NotThere(f"{wanted.name} has {parts} members, at most {PARTS_MAX} are read; name those that are wanted")
    return found


def _look_up(name: str, tags: Mapping[str, Definition]) -> tuple[Definition, Sequence[int]]:
    """What a name is, and the dimensions that it still has."""
    head, *levels = name.split(".")
    if head.startswith("Program:") and levels:
        head = f"{head}.{levels.pop(0)}"
    inside, definition, left = tags, None, list[int]()
    for level in (head, *levels):
        match = _LEVEL.fullmatch(level)
        definition = inside.get(match["name"]) if match else None
        if match is None or definition is None:
            raise NotThere(f"the controller has no {name}; is it spelled right, its program said (Program:NAME.TAG)?")
        places = match["places"].split(",") if match["places"] else []
        left = _dimensions(definition)[len(places) :]
        inside = definition["data_type"]["internal_tags"] if definition["tag_type"] == "struct" else {}
    assert definition is not None
    return definition, left


def _dimensions(definition: Definition) -> list[int]:
    if "dim" in definition:  # of a tag
        return list(definition["dimensions"][: definition["dim"]])
    return [definition["array"]] if definition.get("array") else []  # of a member


def _inside(wanted: Wanted, definition: Definition, left: Sequence[int], depth: int) -> Iterator[Wanted]:
    if depth > DEPTH_MAX:
        raise NotThere(f"{wanted.name} is nested more than {DEPTH_MAX} deep")
    structure = definition["tag_type"] == "struct"
    text = structure and "string" in definition["data_type"]
    if len(left) == 1 and not structure:
        bits = definition["data_type"] == "DWORD"
        yield replace(wanted, name=f"{wanted.name}[0]", count=left[0], bits=bits)
    elif left:
        if prod(left) > PARTS_MAX:
            raise NotThere(
                f"{wanted.name} has {prod(left)} elements, at most {PARTS_MAX} are read; name those that are wanted"
            )
        for places in product(*map(range, left)):
            tag = ".".join((wanted.tag, *map(str, places)))
            name = f"{wanted.name}[{','.join(map(str, places))}]"
            yield from _inside(replace(wanted, tag=tag, name=name), definition, (), depth + 1)
    elif structure and not text:
        for member in definition["data_type"]["attributes"]:
            inner = definition["data_type"]["internal_tags"][member]
            further = replace(wanted, tag=f"{wanted.tag}.{member}", name=f"{wanted.name}.{member}")
            yield from _inside(further, inner, _dimensions(inner), depth + 1)
    else:
        yield replace(wanted, text=text)
