"""Templates from a record's fields to a request: `{path}`, `{scrap}`, `{started_at}`. Pure.

A text that is one placeholder keeps the value's type; inside a longer text the value is written out. `{path[2]}` is the
third level of the path, `{x|y}` is `y` (a word) when `x` is null, `{{` and `}}` are braces. Nothing else: a target that
needs more needs code.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([a-z_]+)(?:\[(\d)\])?(?:\|([^{}]*))?\}")
Template = str | int | float | bool | None | list[Any] | dict[str, Any]


class BadTemplate(ValueError):
    """A template that names a field no record of the mapping has, or has a brace too many; says which."""


def fields(template: Template) -> set[str]:
    """The fields a template names."""
    found: set[str] = set()

    def collect(text: str) -> str:
        found.update(match[1] for match in _PLACEHOLDER.finditer(text) if match[1])
        return text

    _walk(template, collect)
    return found


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


def fill(template: Template, values: Mapping[str, Any], quote: Callable[[str], str] | None = None) -> Any:
    """The template with the record's values. With `quote`, which treats every value, texts stay texts, e.g. for a URL."""
    return _walk(template, lambda text: _text(text, values, quote))


def _walk(template: Template, convert: Callable[[str], Any]) -> Any:
    if isinstance(template, str):
        return convert(template)
    if isinstance(template, list):
        return [_walk(part, convert) for part in template]
    if isinstance(template, dict):
        return {name: _walk(part, convert) for name, part in template.items()}
    return template


def _text(text: str, values: Mapping[str, Any], quote: Callable[[str], str] | None) -> Any:
    whole = _PLACEHOLDER.fullmatch(text)
    if whole is not None and whole[1] and quote is None:
        return _value(whole, values)

    def part(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0][0]
        value = _value(match, values)
        word = "" if value is None else str(value)
        return word if quote is None else quote(word)

    return _PLACEHOLDER.sub(part, text)


def _value(match: re.Match[str], values: Mapping[str, Any]) -> Any:
    value = values[match[1]]
    if match[2] is not None:
        levels = str(value).split("/")
        value = levels[int(match[2])] if int(match[2]) < len(levels) else None
    if value is None and match[3] is not None:
        return match[3]
    return value
