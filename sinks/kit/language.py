"""The language of templates: what of jinja2 they may use, and the filters of our own. Pure: nothing random, no clock.

Only filters whose work is bounded by the record are there, and a number or a time that is none is an error, not 0.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.text import micros
from topology.nearest import hint

OMIT = "omit"
_THEIRS = [
    "abs",
    "capitalize",
    "count",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "groupby",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
]
"""Filters of jinja2's own that stay."""


def level(text: Any, number: int) -> str | None:
    """That level of a path; null where it is not so deep."""
    levels = str(text).split("/")
    return levels[number] if number < len(levels) else None


def time(text: str | None, form: str | None = None, zone: str = "UTC") -> str | None:
    """A time as the target writes it: `strftime` letters and an IANA zone; without letters ISO 8601 to the second."""
    if text is None:
        return None
    local = datetime.fromisoformat(text).astimezone(_zone(zone))
    return local.isoformat(timespec="seconds") if form is None else local.strftime(form)


def epoch_ms(text: str | None) -> int | None:
    """Milliseconds since 1970, UTC."""
    return None if text is None else micros(text) // 1000


def epoch_s(text: str | None) -> int | None:
    """Seconds since 1970, UTC."""
    return None if text is None else micros(text) // 1_000_000


def digest(text: Any, length: int = 32) -> str:
    """A short key for a long one: the first `length` hexadecimal digits of its SHA-256 (at least 16, at most 64)."""
    if text is None:
        raise ValueError("a key of nothing would be that of every other such record")
    if not 16 <= length <= 64:
        raise ValueError("digest takes a length of 16 to 64: a shorter key may be that of another record")
    return sha256(str(text).encode()).hexdigest()[:length]


def uuid(text: Any) -> str:
    """A key for a field that takes a UUID alone: always the same for a text (RFC 9562, version 5)."""
    if text is None:
        raise ValueError("a key of nothing would be that of every other such record")
    return str(uuid5(NAMESPACE_URL, str(text)))


def _int(value: Any) -> int:
    return int(value)


def _float(value: Any) -> float:
    return float(value)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone {name!r}; {hint(name, sorted(available_timezones()))}") from None


OURS: Mapping[str, Callable[..., Any]] = {
    "digest": digest,
    "level": level,
    "uuid": uuid,
    "time": time,
    "epoch_ms": epoch_ms,
    "epoch_s": epoch_s,
    "int": _int,
    "float": _float,
}


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Context, operator_: str, left: Any, right: Any) -> Any:
        """Products of numbers alone: a text times a million is no value of a record."""
        if operator_ == "**" or not all(isinstance(side, int | float) for side in (left, right)):
            raise SecurityError(f"{operator_!r} is there between numbers only, and ** not at all")
        return operator.mul(left, right)


environment = _Sandbox(
    undefined=StrictUndefined,
    autoescape=False,
    keep_trailing_newline=True,
    finalize=lambda value: "" if value is None else value,
)
environment.globals.clear()
environment.filters = {name: environment.filters[name] for name in _THEIRS} | dict(OURS)


def remarks(tree: nodes.Template) -> Iterator[str]:
    """What is wrong with a template that can be parsed, before any record is there."""
    for used in tree.find_all(nodes.Filter):
        if used.name not in environment.filters:
            yield f"there is no filter {used.name}; {hint(used.name, sorted(environment.filters))}"
        elif used.name == "time":
            yield from _wrong_zone(used)
    for part in tree.find_all(nodes.Getitem):
        if isinstance(part.node, nodes.Name) and part.node.name == "path" and isinstance(part.arg, nodes.Const):
            yield "path[n] is a letter of the path here; its levels are {path[n]} and {{ path | level(n) }}"
    for statement in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        yield f"{type(statement).__name__.lower()}: there are no other templates"


def _wrong_zone(used: nodes.Filter) -> Iterator[str]:
    given = [*used.args[1:2], *(pair.value for pair in used.kwargs if pair.key == "zone")]
    for zone in given:
        if isinstance(zone, nodes.Const):
            try:
                _zone(str(zone.value))
            except ValueError as error:
                yield str(error)
