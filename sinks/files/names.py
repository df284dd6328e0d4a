"""What files are called: a template of places and days, made safe; a number and an ending behind it. Pure."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from sinks.kit.rows import Row
from topology.nearest import hint

LEVELS = ("enterprise", "site", "area", "line", "cell")
TIMES = {"month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
NAMES = ("{record}", *(f"{{{name}}}" for name in (*LEVELS, *TIMES)))
NONE = "none"
"""Stands for a level that a path does not have, and a time that a row does not have."""
PART = ".part"
NUMBERED = re.compile(r".+\.(\d{8,})\.(?:csv|jsonl|parquet)(?:\.part)?")
"""A file that a sink has made."""
_FIELD = re.compile(r"\{([^{}]*)\}")
_UNSAFE = re.compile(r"[^\w.+=@-]", re.ASCII)
LENGTH_MAX, SEGMENT_MAX = 80, 200
"""Letters of what is filled in, and of a whole segment: names of files end at 255 bytes."""


def checked_name(template: str) -> str:
    """Raises `ValueError` for one that leads out of the folder, or names what there is not."""
    known = {name.strip("{}") for name in NAMES}
    for name in _FIELD.findall(template):
        if name not in known:
            raise ValueError(f"name: there is no {{{name}}}; {hint(name, sorted(known))}")
    fixed = _FIELD.sub("x", template)
    segments = fixed.split("/")
    if "{" in fixed or "}" in fixed or not fixed.isprintable() or "\\" in fixed:
        raise ValueError(f"name {template!r} has a brace, a backslash or a control character that is of no name")
    if any(segment.startswith(".") or not segment.strip() for segment in segments):
        raise ValueError(f"name {template!r} stands below the folder: no part of it is empty or begins with a dot")
    return template


def name_of(template: str, record: str, row: Row, zone: ZoneInfo) -> str:
    """Where a row belongs: the template with its place and its time."""
    levels = str(row.get("path", "")).split("/")
    values = dict(zip(LEVELS, levels, strict=False)) | {"record": record}
    at = row.get("at") or row.get("started_at")
    if isinstance(at, datetime):
        values |= {name: _local(at, zone).strftime(form) for name, form in TIMES.items() if name in template}
    name = _FIELD.sub(lambda match: _safe(values.get(match[1]) or NONE), template)
    return "/".join(segment[:SEGMENT_MAX] for segment in name.split("/"))


def named(template: str, record: str, name: str) -> bool:
    """Whether a name can be one that the template makes."""
    parts = _FIELD.split(template.replace("{record}", record))
    return re.fullmatch("".join(re.escape(part) if n % 2 == 0 else "[^/]*" for n, part in enumerate(parts)), name) is not None  # fmt: skip


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    try:
        return at.astimezone(zone)
    except OverflowError:  # the first or last day that there is
        return at


def _safe(text: str) -> str:
    """One segment: no separators, nothing hidden."""
    return _UNSAFE.sub("_", text)[:LENGTH_MAX].lstrip(".") or "_"


def file_name(name: str, number: int, ending: str) -> str:
    """`dallas/oee-2026-11-23.00000042.csv`; numbers grow, and no two files of a sink have the same."""
    return f"{name}.{number:08d}.{ending}"
