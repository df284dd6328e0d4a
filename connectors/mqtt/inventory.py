"""What topics say, for whoever sets a connector up: fields, present values, times, and the profile that fits; and the
subscriptions that read what was chosen. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import NoneType
from typing import Any
from zoneinfo import ZoneInfo

from connectors.base import Found, LeftOut
from connectors.kit.message import PAYLOAD_MAX_BYTES
from connectors.kit.payloads import BadPayload, document
from connectors.kit.times import PER_SECOND, BadTime, micros
from connectors.kit.yaml_text import mapping, remark, text
from connectors.mqtt.config import MqttConfig
from connectors.mqtt.pattern import Pattern
from connectors.mqtt.profile import NAMES, ProfileName, profile
from schemas.records import Value

BETWEEN = " | "
"""Stands in an address between the topic and what of its payload is meant: nothing of a bare value."""
TIME = "time"
"""The type of a field that is no tag, and tells when; its unit is behind it."""
_TIMES = frozenset({"at", "time", "timestamp", "timestamp_ms", "ts", "last_seen", "datetime", "date"})
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TOPICS_MAX = 20_000
PARTS_MAX, DEPTH_MAX = 64, 8
"""Elements of a list, and levels below each other, that are listed."""
KEY_MAX = 1_000
"""Characters of a name as YAML has it; its keys have at most 1,024."""
UTC_ZONE = ZoneInfo("UTC")
"""For a local time, of which only is asked whether it is one."""


class Inventory:
    """Tells each field of each topic once."""

    def __init__(self) -> None:
        self._told: dict[str, set[str]] = {}
        self._full = False

    def heard(self, topic: str, payload: bytes) -> Iterator[Found | LeftOut]:
        if topic not in self._told and len(self._told) >= TOPICS_MAX:
            if not self._full:
                self._full = True
                yield LeftOut(f"there are more than {TOPICS_MAX} topics")
            return
        told = self._told.setdefault(topic, set())
        for found in _fields(topic, payload):
            what = found.address if isinstance(found, Found) else found.what
            if what not in told:
                told.add(what)
                yield found


def _fields(topic: str, payload: bytes) -> Iterator[Found | LeftOut]:
    levels = topic.split("/")
    machine, fits = levels[-2] if len(levels) > 1 else None, _fitting(topic)
    description = f"profile {fits} fits" if fits else ""
    if not payload:
        return
    try:
        read = _read(payload)
    except BadPayload as bad:
        yield LeftOut(f"{topic}: {bad}")
        return
    if not isinstance(read, dict | list):
        value = read if isinstance(read, str | int | float | bool) else None
        yield Found(topic, levels[-1], machine, _type(read), description=description, sample=value)
        return
    for steps, value in _leaves(read):
        unit = _unit(value) if str(steps[-1]).lower() in _TIMES else None
        kind = f"{TIME} {unit}" if unit else _type(value)
        tag = ".".join(map(str, steps))
        if len(text(tag)) > KEY_MAX:
            yield LeftOut(f"{topic}: {tag[:40]!r}… is too long a name to be written down")
            continue
        yield Found(f"{topic}{BETWEEN}{_selector(steps)}", tag, machine, kind, description=description, sample=value)


def _read(payload: bytes) -> Any:
    """JSON, or text as it stands."""
    try:
        return document(payload, PAYLOAD_MAX_BYTES)
    except BadPayload:
        try:
            plain = payload.decode()
        except UnicodeDecodeError:
            raise BadPayload("bad_text", f"{len(payload)} bytes that are neither JSON nor text") from None
        if plain.lstrip()[:1] in ("{", "["):
            raise
        return plain


def _leaves(read: Any, before: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Value]]:
    """(names and places, value) of what is inside, as deep and as wide as it is sensible to list."""
    entries = read.items() if isinstance(read, dict) else enumerate(read[:PARTS_MAX])
    for step, value in entries:
        if not isinstance(value, dict | list):
            yield (*before, step), value
        elif len(before) < DEPTH_MAX:
            yield from _leaves(value, (*before, step))


def _selector(steps: Sequence[str | int]) -> str:
    made = ""
    for step in steps:
        if isinstance(step, int):
            made += f"[{step}]"
        else:
            made += ("." if made else "") + (step if _PLAIN.fullmatch(step) else json.dumps(step, ensure_ascii=False))
    return made


def _type(value: Any) -> str:
    names: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "text", NoneType: "null"}
    return names.get(type(value), type(value).__name__)


def _unit(value: Any) -> str | None:
    """By what a value is a time: ISO, or the unit that it counts; None: it is none."""
    if isinstance(value, bool):
        return None
    for unit in PER_SECOND:
        try:
            micros(value, unit, UTC_ZONE)
        except BadTime:
            continue
        return unit if isinstance(value, int | float) else "iso"
    return None


@cache
def _patterns() -> Sequence[tuple[ProfileName, Pattern]]:
    return tuple(
        (name, Pattern(f"{base}/{entry['topic']}" if base else entry["topic"]))
        for name in NAMES
        for base in (profile(name).base,)
        for entry in profile(name).subscriptions
    )


def _fitting(topic: str) -> str | None:
    return next((name for name, pattern in _patterns() if pattern.match(topic) is not None), None)


def listing(_config: MqttConfig, chosen: Mapping[str, Sequence[Found]]) -> str:
    """The `subscriptions` that read what was chosen, one a topic."""
    lines = ["subscriptions:"]
    for path, found in chosen.items():
        topics: dict[str, list[tuple[str, Found]]] = {}
        for one in found:
            topic, _, selector = one.address.partition(BETWEEN)
            topics.setdefault(topic, []).append((selector, one))
        for topic, members in topics.items():
            lines += [f"  - topic: {text(topic)}", f"    path: {path}"]
            lines += _object(members) if members[0][0] else _bare(members[0][1])
    return "\n".join(lines)


def _bare(one: Found) -> list[str]:
    return ["    payload: value", f"    tag: {text(one.tag)}{remark(one)}"]


def _object(members: Sequence[tuple[str, Found]]) -> list[str]:
    lines = ["    payload: object"]
    times = [(selector, one) for selector, one in members if one.type.startswith(f"{TIME} ")]
    for selector, one in times[:1]:
        lines.append(f"    at: {text(selector)}{remark(one)}")
        if (unit := one.type.removeprefix(f"{TIME} ")) in PER_SECOND:
            lines.append(f"    time: {unit}")
    fields = [(selector, one) for selector, one in members if (selector, one) not in times]
    lines.append("    fields:" if fields else "    fields: {}")
    return [*lines, *(f"      {mapping(one.tag, text(selector))}{remark(one)}" for selector, one in fields)]
