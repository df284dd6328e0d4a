"""The options of a pydantic model as Markdown: a table a model, each option with type, default, example and meaning."""

import datetime
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    dict: "mapping",
    Any: "any value",
    SecretStr: "text, kept secret",
    Path: "file",
    datetime.date: "date",
    datetime.datetime: "time",
}


class Option(NamedTuple):
    """One option of a model."""

    model: type[BaseModel]
    key: str
    """As it is written: the alias where there is one."""
    field: FieldInfo

    @property
    def shown(self) -> bool:
        """Whether a reader learns what to write: from a default that is a value, an example, or the words themselves."""
        return (
            not (self.field.is_required() or self.field.default is None)
            or bool(self.field.examples)
            or bool(_choices(self.field.annotation) or _models(self.field.annotation))
            or _plain(self.field.annotation) is bool
        )


def models(top: type[BaseModel]) -> list[type[BaseModel]]:
    """The model and all that its options are made of, outer before inner, each once."""
    found, queue = dict[type[BaseModel], None](), [top]
    while queue:
        model = queue.pop(0)
        if model in found:
            continue
        found[model] = None
        queue += [inner for field in model.model_fields.values() for inner in _models(field.annotation)]
    return list(found)


def options(top: type[BaseModel]) -> Iterator[Option]:
    """Every option of a model and of all that it is made of."""
    for model in models(top):
        for name, field in model.model_fields.items():
            yield Option(model, field.alias or name, field)


def tables(top: type[BaseModel]) -> Iterator[str]:
    """Lines of Markdown: the options of a model, then of each that it is made of."""
    for model in models(top):
        if model is not top:
            yield f"## {heading(model)}"
        yield _purpose(model)
        yield ""
        yield "| Option | Type | Default | Meaning |"
        yield "|---|---|---|---|"
        for option in options_of(model):
            yield _row(f"`{option.key}`", option.field)
        yield ""


def options_of(model: type[BaseModel]) -> Iterator[Option]:
    """The options of one model."""
    for name, field in model.model_fields.items():
        yield Option(model, field.alias or name, field)


def variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Lines of Markdown: the settings of a process, by environment variable."""
    yield "| Variable | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    for option in options_of(model):
        yield _row(f"`{prefix}{option.key.upper()}`", option.field)


def heading(model: type[BaseModel]) -> str:
    """A model's name as people read it: `Equipment type`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__)
    return words[0] + words[1:].lower()


def _purpose(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _row(key: str, field: FieldInfo) -> str:
    meaning = field.description or ""
    if field.examples:
        meaning += "; e.g. " + ", ".join(f"`{_yaml(example)}`" for example in field.examples)
    cells = (key, type_words(field), _default(field), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def type_words(field: FieldInfo) -> str:
    """What may stand there, with its bounds."""
    return _type(field.annotation) + _bounds(field.metadata)


def _bounds(metadata: list[Any]) -> str:
    words = []
    for bound in metadata:
        match bound:
            case Ge(ge):
                words.append(f"≥ {ge}")
            case Gt(gt):
                words.append(f"> {gt}")
            case Le(le):
                words.append(f"≤ {le}")
            case Lt(lt):
                words.append(f"< {lt}")
            case MinLen(1):
                words.append("not empty")
            case MaxLen(length):
                words.append(f"at most {length}")
            case _ if (pattern := getattr(bound, "pattern", None)) is not None:
                words.append(f"as `{pattern}`")
    return "".join(f", {word}" for word in words)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "its own defaults"
    if isinstance(value, (tuple, list, dict)) and not value:
        return "empty"
    if isinstance(value, dict) and any(isinstance(part, BaseModel) for part in value.values()):
        return ", ".join(f"`{name}`" for name in value)
    if isinstance(value, Path):
        value = str(value).replace(str(Path.home()), "~", 1)
    return f"`{_yaml(value)}`" if value is not PydanticUndefined else "required"


def _yaml(value: Any) -> str:
    """A value as one writes it in YAML on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case dict():
            return "{" + ", ".join(f"{_yaml(key)}: {_yaml(part)}" for key, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_yaml, value)) + "]"
        case float():
            return f"{value:g}"
        case "":
            return '""'
        case str() if re.search(r"^[#{\[&*!|>%@`-]|: | #|^\d+:\d", value):
            return f'"{value}"'
        case _:
            return str(value)


def _plain(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    parts = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType) and NoneType in parts:
        inner = [part for part in parts if part is not NoneType]
        return _plain(inner[0]) if len(inner) == 1 else Union[tuple(inner)]  # noqa: UP007
    return annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models inside an annotation."""
    annotation = _plain(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)] if get_args(annotation) else []


def _choices(annotation: Any) -> tuple[str, ...]:
    """The words of which one must stand there."""
    annotation = _plain(annotation)
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(member.value) for member in annotation)
    return ()


def _type(annotation: Any) -> str:
    metadata: list[Any] = []
    while get_origin(annotation) is Annotated:
        metadata += get_args(annotation)[1:]
        annotation = get_args(annotation)[0]
    annotation = _plain(annotation)
    if choices := _choices(annotation):
        return " or ".join(f"`{word}`" for word in choices)
    if annotation in _WORDS:
        return _WORDS[annotation] + _bounds(metadata)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        name = heading(annotation)
        return f"[{name}](#{name.lower().replace(' ', '-')})"
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (tuple, list):
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return f"mapping of {_type(parts[0])} to {_type(parts[1])}"
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_type, parts)))
    return str(TypeAdapter(annotation).json_schema().get("type", "value"))
