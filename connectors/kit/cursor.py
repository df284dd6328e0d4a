"""How the cursor has the places of queries: the mark of each by its name, and beside it one entry for each row of the overlap
that was told. So a batch writes what it changes, and a restart knows all that was told. Pure.
"""

import re
from collections.abc import Mapping

from connectors.base import Position
from connectors.kit.mark import Mark, Place, decode, encode

_ROW = re.compile(r"told ([0-9a-f]{32}) (.*)", re.DOTALL)


def entries(query: str, mark: Mark | None, told: Mapping[bytes, bytes | None]) -> dict[str, Position | None]:
    """Of the cursor, behind what a query said. `told`: hash of a row's key → hash of its content; None: it is forgotten."""
    rows = {f"told {key.hex()} {query}": content for key, content in told.items()}
    return {query: encode(mark), **rows}


def places(cursor: Mapping[str, Position]) -> dict[str, Place]:
    """By the name of the query."""
    marks: dict[str, Mark | None] = {}
    told: dict[str, dict[bytes, bytes]] = {}
    for name, kept in cursor.items():
        if not isinstance(kept, bytes):
            continue
        if row := _ROW.fullmatch(name):
            told.setdefault(row[2], {})[bytes.fromhex(row[1])] = kept
        elif (place := decode(kept)) is not None:
            marks[name] = place.mark
    return {name: Place(mark, told.get(name, {})) for name, mark in marks.items()}
