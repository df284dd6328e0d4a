"""The published versions of each record (`published/<Record>/<n>.avsc`), and whether today's schema still honours them."""

import importlib.resources
import json

from schemas.catalog import source
from schemas.compatibility import Level, problems
from schemas.records import TYPES


def versions(name: str) -> list[str]:
    """Schema texts of a record's published versions, oldest first."""
    folder = importlib.resources.files("schemas") / "published" / name
    if not folder.is_dir():
        return []
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".avsc")), key=lambda entry: int(entry.name[:-5])
    )
    return [entry.read_text(encoding="utf-8") for entry in files]


def broken() -> list[tuple[str, str]]:
    """(record, problem) of every schema that is unpublished or cannot read what a published version wrote."""
    found = []
    for name in TYPES:
        published = versions(name)
        today = source(name)
        if not published or json.loads(published[-1]) != json.loads(today):
            number = len(published) + 1
            found.append(
                (
                    name,
                    f"differs from its newest published version; publish it: copy avro/{name}.avsc to published/{name}/{number}.avsc",
                )
            )
        found += [(name, problem) for problem in problems(today, published, Level.BACKWARD_TRANSITIVE)]
    return found
