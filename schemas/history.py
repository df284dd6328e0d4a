"""The published versions of each record (`published/<Record>/<n>.avsc`), and whether today's schema still honours them."""

import importlib.resources
import json

from schemas.catalog import source
from schemas.compatibility import Level, problems
from schemas.records import TYPES

COMPATIBILITY = Level.BACKWARD_TRANSITIVE
"""What every change of a record has to keep: new readers read everything ever written."""


def versions(name: str) -> dict[int, str]:
    """Version number → schema text of a record's published versions, oldest first."""
    folder = importlib.resources.files("schemas") / "published" / name
    if not folder.is_dir():
        return {}
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".avsc")), key=lambda entry: int(entry.name[:-5])
    )
    return {int(entry.name[:-5]): entry.read_text(encoding="utf-8") for entry in files}


def broken() -> list[tuple[str, str]]:
    """(record, problem) of every schema that is unpublished or cannot read what a published version wrote."""
    return [(name, problem) for name in TYPES for problem in problems_of(name, source(name))]


def problems_of(name: str, text: str) -> list[str]:
    """What stops a text from being a record's current schema. Raises `InvalidSchema`."""
    published = versions(name)
    broken_promises = problems(text, published, COMPATIBILITY)
    newest = max(published, default=0)
    if not published or json.loads(published[newest]) != json.loads(text):
        broken_promises.append(
            f"differs from its newest published version; publish it: "
            f"`uns schema show {name} > schemas/published/{name}/{newest + 1}.avsc`"
        )
    return broken_promises
