"""Templates from a record's fields to a request: `{path}`, `{scrap}`, `{started_at}`. Pure.

A text that is one placeholder keeps the value's type; inside a longer text the value is written out. `{path[2]}` is the
third level of the path, `{x|y}` is `y` (a word) when `x` is null, `{{` and `}}` are braces. Nothing else: a target that
needs more needs code.

In a URL every value is percent-encoded and stays in its place: it may not be a segment that leads elsewhere.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([a-z_]+)(?:\[(\d)\])?(?:\|([^{}]*))?\}")
Template = str | int | float | bool | None | list[Any] | dict[str, Any]


class BadTemplate(ValueError):
    """A template that names a field no record of the mapping has, or has a brace too many; says which."""


class UnfitValue(ValueError):
    """A record's value that cannot stand in the request."""


def fields(template: Template) -> set[str]:
    """The fields a template names."""
    names: set[str] = set()

    def collect(text: str) -> str:
        names.update(match[1] for match in _PLACEHOLDER.finditer(text) if match[1])
        return text

    _walk(template, collect)
    return names


def check(template: Template, known: set[str]) -> None:
    """Raises `BadTemplate`."""

    def refuse(text: str) -> str:
        if {"{", "}"} & set(_PLACEHOLDER.sub("", text)):
            raise BadTemplate(
                f"{text!r} has a brace that belongs to no placeholder; write {{field}}, {{field[0]}} or {{field|word}}, and {{{{ or }}}} for a brace"
            )
        return text

    _walk(template, refuse)
    if unknown := sorted(fields(template) - known):
        raise BadTemplate(f"there is no field {', '.join(unknown)}; there are {', '.join(sorted(known))}")


def check_url(template: str, known: set[str]) -> None:
    """Like `check`, for a URL below a target's address, which it may not leave. Raises `BadTemplate`."""
    check(template, known)
    shape = _shape(template)
    if not shape.startswith("/") or shape.startswith("//"):
        raise BadTemplate(f"url {template!r} must begin with one /: it stands below base_url and never names a host")
    if "\\" in shape or "#" in shape or any(not letter.isprintable() for letter in shape):
        raise BadTemplate(f"url {template!r} holds a \\, a # or a control character")
    if any(_leads_away(segment) for segment in _segments(shape)):
        raise BadTemplate(f"url {template!r} has a segment . or .., which leads to another resource")


def fill(template: Template, values: Mapping[str, Any]) -> Any:
    """The template with the record's values."""
    return _walk(template, lambda text: _text(text, values))


def fill_url(template: str, values: Mapping[str, Any]) -> str:
    """The URL with the record's values, each percent-encoded. Raises `UnfitValue` for one that would leave its place."""

    def part(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0][0]
        try:
            return quote(_written(_value(match, values)), safe="")
        except UnicodeEncodeError:
            raise UnfitValue(f"{{{match[1]}}} is no text: half of a surrogate pair stands in it") from None

    url = _PLACEHOLDER.sub(part, template)
    for segment, meant in zip(_segments(url), _segments(_shape(template)), strict=True):
        if segment != meant and (not segment or _leads_away(segment)):
            raise UnfitValue(
                f"url {template!r}: the record makes {segment!r} of a segment, which leads to another resource"
            )
    return url


def _shape(template: str) -> str:
    """The template with a letter for each placeholder: its segments are those of every URL made of it."""
    return _PLACEHOLDER.sub(lambda match: "x" if match[1] else match[0][0], template)


def _segments(url: str) -> list[str]:
    return url.partition("?")[0].split("/")[1:]


def _leads_away(segment: str) -> bool:
    return unquote(segment) in (".", "..")


def _walk(template: Template, convert: Callable[[str], Any]) -> Any:
    if isinstance(template, str):
        return convert(template)
    if isinstance(template, list):
        return [_walk(part, convert) for part in template]
    if isinstance(template, dict):
        return {name: _walk(part, convert) for name, part in template.items()}
    return template


def _text(text: str, values: Mapping[str, Any]) -> Any:
    whole = _PLACEHOLDER.fullmatch(text)
    if whole is not None and whole[1]:
        return _value(whole, values)
    return _PLACEHOLDER.sub(
        lambda match: _written(_value(match, values)) if match[1] else match[0][0],
        text,
    )


def _written(value: Any) -> str:
    return "" if value is None else str(value)


def _value(match: re.Match[str], values: Mapping[str, Any]) -> Any:
    value = values[match[1]]
    if match[2] is not None:
        levels = str(value).split("/")
        value = levels[int(match[2])] if int(match[2]) < len(levels) else None
    if value is None and match[3] is not None:
        return match[3]
    return value
