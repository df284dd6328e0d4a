"""Templates from a record's fields to a request: jinja2's sandbox behind a short form for what is needed most. Pure.

A text that is one `{{ expression }}` keeps the value's type; inside a longer text values are written out, null as nothing.
The short form is translated: `{field}` is `{{ field }}`, `{path[2]}` the third level of the path, `{field|word}` the word
where the field is null. A mapping of one key `{% for x in list %}` is a list; a member that is `{{ omit }}` is left out.

In a URL every value is percent-encoded and stays in its place: it may not be a segment that leads elsewhere.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from jinja2 import TemplateError, TemplateSyntaxError, Undefined, meta, nodes

from sinks.kit.language import OMIT, environment, remarks
from topology.nearest import hint

_SHORT = re.compile(r"\{([a-z_]+)(?:\[(\d)\])?(?:\|([^{}]*))?\}")
_EACH = re.compile(r"\{%-?\s*for\s+([a-z_]+)\s+in\s+(.+?)\s*-?%\}")
MAPS = "maps"
"""Name of the tables of the configuration: `{{ maps.reasons[reason] }}`."""
SUMS = "sums"
"""Name of the sums over records: `{{ sums.run_h }}`."""
_TABLES = (MAPS, SUMS)
Template = str | int | float | bool | None | list[Any] | dict[str, Any]
Values = Mapping[str, Any]


class BadTemplate(ValueError):
    """A template that names a field no record of the mapping has, or is none; says which and why."""


class UnfitValue(ValueError):
    """A record's value that cannot stand in the request."""


class _Compiled(NamedTuple):
    text: str
    shape: str
    """The text with a letter for each expression: its segments are those of every URL made of it."""
    names: frozenset[str]
    value: Callable[[Values], Any]
    url: Callable[[Values], str]


def fields(template: Template) -> set[str]:
    """The fields a template names. Raises `BadTemplate`."""
    return {name for names in _named(template, frozenset()) for name in names}


def is_table(name: str) -> bool:
    """Whether a name that a template has is one of the tables of the configuration."""
    return name.startswith(f"{MAPS}.")


def check(template: Template, known: Collection[str]) -> None:
    """Raises `BadTemplate`."""
    if unknown := sorted(fields(template) - {*known, OMIT}):
        raise BadTemplate(f"there is no field {', '.join(unknown)}; {hint(unknown[0], sorted(known))}")


def check_url(template: str, known: Collection[str]) -> None:
    """Like `check`, for a URL below a target's address, which it may not leave. Raises `BadTemplate`."""
    check(template, known)
    shape = _compile(template).shape
    if not shape.startswith("/") or shape.startswith("//"):
        raise BadTemplate(f"url {template!r} must begin with one /: it stands below base_url and never names a host")
    if "{%" in template:
        raise BadTemplate(f"url {template!r} takes {{{{ … }}}}, and no {{% … %}}: its segments must be fixed")
    if "\\" in shape or "#" in shape or any(not letter.isprintable() for letter in shape):
        raise BadTemplate(f"url {template!r} holds a \\, a # or a control character")
    if any(_leads_away(segment) for segment in _segments(shape)):
        raise BadTemplate(f"url {template!r} has a segment . or .., which leads to another resource")


def fill(template: Template, values: Values) -> Any:
    """The template with the record's values. Raises `UnfitValue`."""
    if isinstance(template, str):
        return _compile(template).value(values)
    if isinstance(template, list):
        return [part for part in (fill(part, values) for part in template) if part is not OMITTED]
    if isinstance(template, dict):
        if (loop := _loop(template)) is not None:
            return _repeated(*loop, values)
        filled = ((name, fill(part, values)) for name, part in template.items())
        return {name: part for name, part in filled if part is not OMITTED}
    return template


def fill_url(template: str, values: Values) -> str:
    """The URL with the record's values, each percent-encoded. Raises `UnfitValue` for one that would leave its place."""
    compiled = _compile(template)
    url = compiled.url(values)
    for segment, meant in zip(_segments(url), _segments(compiled.shape), strict=True):
        if segment != meant and (not segment or _leads_away(segment)):
            raise UnfitValue(
                f"url {template!r}: the record makes {segment!r} of a segment, which leads to another resource"
            )
    return url


class _Omitted:
    def __repr__(self) -> str:
        return OMIT


OMITTED = _Omitted()
"""What `{{ omit }}` is."""


def _repeated(name: str, items: str, body: Template, values: Values) -> list[Any]:
    found = _compile(f"{{{{ {items} }}}}").value(values)
    if not isinstance(found, list | tuple):
        raise UnfitValue(f"{items!r} is no list that could be gone through")
    return [fill(body, {**values, name: item}) for item in found]


def _loop(template: dict[str, Any]) -> tuple[str, str, Template] | None:
    """Name, list and body of a mapping that stands for a list."""
    [key, *others] = template or [""]
    each = _EACH.fullmatch(key) if not others else None
    return None if each is None else (each[1], each[2], template[key])


def _named(template: Template, inner: frozenset[str]) -> Iterator[frozenset[str]]:
    if isinstance(template, str):
        yield _compile(template).names - inner
    elif isinstance(template, list):
        for part in template:
            yield from _named(part, inner)
    elif isinstance(template, dict) and (loop := _loop(template)) is not None:
        name, items, body = loop
        yield _compile(f"{{{{ {items} }}}}").names - inner
        yield from _named(body, inner | {name})
    elif isinstance(template, dict):
        for part in template.values():
            yield from _named(part, inner)


@lru_cache(4096)
def _compile(text: str) -> _Compiled:
    """Raises `BadTemplate`. Texts come from the configuration alone, so there are few."""
    try:
        source, whole = _translated(text)
        tree = environment.parse(source)
        for remark in remarks(tree):
            raise BadTemplate(f"{text!r}: {remark}")
        render = environment.from_string(source).render
        value = environment.compile_expression(whole, undefined_to_none=False) if whole is not None else render
        quoted = environment.overlay(finalize=_quoted).from_string(source).render
    except TemplateSyntaxError as error:
        raise BadTemplate(f"{text!r} is no template: {_words(error)}") from None
    parts = (part for output in tree.find_all(nodes.Output) for part in output.nodes)
    shape = "".join(part.data if isinstance(part, nodes.TemplateData) else "x" for part in parts)
    return _Compiled(text, shape, frozenset(_names(tree)), _guarded(text, value), _guarded(text, quoted))


def _names(tree: nodes.Template) -> Iterator[str]:
    """What stands free in it; of the tables of the configuration and of the sums, which one."""
    yield from meta.find_undeclared_variables(tree) - set(_TABLES)
    for part in tree.find_all(nodes.Getattr):
        if isinstance(part.node, nodes.Name) and part.node.name in _TABLES:
            yield f"{part.node.name}.{part.attr}"


def _translated(text: str) -> tuple[str, str | None]:
    """The text in jinja's own form; and its expression, where it is one and nothing else. Raises `BadTemplate`."""
    pieces: list[tuple[str, str]] = []
    for _, kind, value in environment.lex(text):
        if kind != "data":
            pieces.append((kind, value))
            continue
        if {"{", "}"} & set(_SHORT.sub("", value)):
            raise BadTemplate(
                f"{text!r} has a brace that belongs to no placeholder; write {{field}}, {{field[0]}}, {{field|word}} or {{{{ expression }}}}, and {{{{ '{{' }}}} for a brace"
            )
        begin = 0
        for match in _SHORT.finditer(value):
            pieces += [("data", value[begin : match.start()]), *_long(match)]
            begin = match.end()
        pieces.append(("data", value[begin:]))
    pieces = [(kind, value) for kind, value in pieces if value]
    kinds = [kind for kind, _ in pieces]
    one = kinds[:1] == ["variable_begin"] and kinds[1:].count("variable_begin") == 0 and kinds[-1] == "variable_end"
    whole = "".join(value for _, value in pieces[1:-1]) if one else None
    return "".join(value for _, value in pieces), whole


def _long(short: re.Match[str]) -> Iterator[tuple[str, str]]:
    value = short[1] if short[2] is None else f"({short[1]} | level({short[2]}))"
    yield "variable_begin", "{{ "
    yield "expression", value if short[3] is None else f"{short[3]!r} if {value} is none else {value}"
    yield "variable_end", " }}"


def _guarded(text: str, make: Callable[..., Any]) -> Callable[[Values], Any]:
    def guarded(values: Values) -> Any:
        try:
            value = make({**values, OMIT: OMITTED})
            if isinstance(value, Undefined):
                str(value)  # says what is missing
        except UnfitValue:
            raise
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise UnfitValue(f"{text!r} cannot be made of this record: {_words(error)}") from None
        return value

    return guarded


def _quoted(value: Any) -> str:
    if isinstance(value, Undefined):
        return str(value)
    try:
        return quote("" if value is None else str(value), safe="")
    except UnicodeEncodeError:
        raise UnfitValue("a value for the URL is no text: half of a surrogate pair stands in it") from None


def _words(error: Exception) -> str:
    return (getattr(error, "message", None) or str(error) or type(error).__name__)[:300]


def _segments(url: str) -> list[str]:
    return url.partition("?")[0].split("/")[1:]


def _leads_away(segment: str) -> bool:
    return unquote(segment) in (".", "..")
