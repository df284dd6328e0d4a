"""Which days of a table to compact, and how. Pure.

A day that is still written to is compacted in small steps, so that no byte is rewritten often; a day that is over and has
been quiet for an hour is brought to its final form, once, and again only when late rows have come.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

SMALL_FILES = 16
"""So many on an open day are merged."""
STEP = 16
"""A step's files are this part of the final size."""
QUIET = timedelta(hours=1)


class File(NamedTuple):
    site: str | None
    day: date
    bytes: int
    written_at: datetime
    """UTC."""


class Merge(NamedTuple):
    """The small files of one site and day."""

    site: str | None
    day: date
    target_bytes: int
    over: bool
    """The day is: bring it to its final form."""


def plan(files: Iterable[File], now: datetime, file_bytes: int) -> list[Merge]:
    """The oldest days first."""
    groups: dict[tuple[str | None, date], list[File]] = {}
    for file in files:
        groups.setdefault((file.site, file.day), []).append(file)
    found = []
    for (site, day), group in sorted(groups.items(), key=lambda item: (item[0][1], item[0][0] or "")):
        over = day < now.date() and max(file.written_at for file in group) <= now - QUIET
        target = file_bytes if over else max(1, file_bytes // STEP)
        small = sum(file.bytes < target // 2 for file in group)
        if small >= (2 if over else SMALL_FILES):
            found.append(Merge(site, day, target, over))
    return found
