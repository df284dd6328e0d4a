"""pydantic's errors in our words: each at its file and line, with what to do. Pure."""

import re
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from topology.document import Problem, Where
from topology.model.sources import Sources, dotted
from topology.nearest import hint

_EXPECTED = {
    "string_type": "text is expected; put quotes around it",
    "int_parsing": "a whole number is expected",
    "int_type": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "float_parsing": "a number is expected",
    "float_type": "a number is expected",
    "bool_parsing": "true or false is expected",
    "bool_type": "true or false is expected",
    "dict_type": "a mapping (key: value) is expected",
    "model_type": "a mapping (key: value) is expected",
    "model_attributes_type": "a mapping (key: value) is expected",
    "list_type": "a list is expected",
    "tuple_type": "a list is expected",
}


def explain(error: ValidationError, prefix: Where, sources: Sources, model: type[BaseModel]) -> Iterator[Problem]:
    """pydantic's errors in our words, at the line where each stands; `prefix` is where the validated part begins.

    The words never repeat the value: it may be a secret from the environment.
    """
    branches: dict[Where, list[str]] = {}
    errors = error.errors()
    inside = {details["loc"][:depth] for details in errors for depth in range(len(details["loc"]))}
    for details in errors:
        if details["type"] == "too_short" and details["loc"] in inside:
            continue  # too short because of the entries that are wrong
        spot = _spot(details["loc"], model)
        where: Where = (*prefix, *spot.where)
        match details["type"]:
            case "missing":
                yield sources.problem(where, f"{dotted(where)} is missing")
            case "extra_forbidden":
                yield sources.problem(where, _unread(where, spot))
            case "union_tag_not_found":
                yield sources.problem(where, f"{dotted((*where, _tag(details)))} is missing")
            case "union_tag_invalid":
                where = (*where, _tag(details))
                known = re.findall("'([^']*)'", details["ctx"]["expected_tags"])
                yield sources.problem(where, f"{dotted(where)}: not known; {hint(details['ctx']['tag'], known)}")
            case _:
                # Each branch of a union has its say about one place: they are one problem.
                said = branches.setdefault(sources.written(where), [])
                if (words := in_words(details)) not in said:
                    said.append(words)
    for where, said in branches.items():
        yield sources.problem(where, f"{dotted(where)}: {', or '.join(said)}")


def _tag(details: ErrorDetails) -> str:
    """The key by which a union is told apart."""
    return str(details["ctx"]["discriminator"]).strip("'")


def in_words(details: ErrorDetails) -> str:
    """What is wrong and what is expected, without the value."""
    if details["type"] in _EXPECTED:
        return _EXPECTED[details["type"]]
    if details["type"] in ("literal_error", "enum"):
        known = re.findall("'([^']*)'", details["ctx"]["expected"])
        return f"not known; {hint(details['input'], known)}"
    return re.sub(r"^\w+ should", "must", details["msg"].removeprefix("Value error, "))


class _Spot(NamedTuple):
    """A place in a model."""

    where: Where
    """Without the labels of the branches that pydantic puts between."""
    model: type[BaseModel] | None
    """The model whose key the last part is; None: it is an entry of a list or a mapping, or not known."""
    branch: str = ""
    """What made it this model of several, e.g. `role state`; empty: it is the only one."""
    others: Sequence[type[BaseModel]] = ()
    """The models of the other branches."""


def _spot(loc: Where, model: type[BaseModel]) -> _Spot:
    """Walks down the annotations beside the keys and indices of an error."""
    current: Any = model
    spot = _Spot((), None)
    branch, others = "", list[type[BaseModel]]()
    for part in loc:
        members = _members(current)
        chosen = next((member for member in members if part in _labels(member)), None)
        if len(members) > 1 and chosen is not None:
            branch, others = _branch(chosen), [member for member in members if member is not chosen]
            current = chosen
            continue
        beside = members[0] if len(members) == 1 else None
        spot = _Spot((*spot.where, part), beside, branch, others)
        branch, others = "", []
        current = _entry(current) if beside is None else _field(beside, part)
    return spot


def _field(model: type[BaseModel], key: str | int) -> Any:
    """Annotation of a field, by its name or alias; None where there is none."""
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return field.annotation
    return None


def _plain(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _members(annotation: Any) -> list[type[BaseModel]]:
    """The models that may stand at a place: one, several for a union, none for a list, a mapping or a value."""
    annotation = _plain(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def _labels(model: type[BaseModel]) -> list[str]:
    """What pydantic calls a branch of a union: a value of the key by which it is told apart, or the model's name."""
    return [
        model.__name__,
        *(
            str(value)
            for field in model.model_fields.values()
            if get_origin(field.annotation) is Literal
            for value in get_args(field.annotation)
        ),
    ]


def _branch(model: type[BaseModel]) -> str:
    fields = sorted(model.model_fields.items(), key=lambda item: not item[1].is_required())  # what tells branches apart
    for name, field in fields:
        if get_origin(field.annotation) is Literal:
            return f"{name} {', '.join(map(str, get_args(field.annotation)))}"
    return model.__name__


def _entry(annotation: Any) -> Any:
    """What an entry of a list or a mapping is; None: not known."""
    annotation = _plain(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return next((entry for part in get_args(annotation) if (entry := _entry(part)) is not None), None)
    arguments = [part for part in get_args(annotation) if part is not Ellipsis]
    return arguments[-1] if arguments and get_origin(annotation) is not Literal else None


def _unread(where: Where, spot: _Spot) -> str:
    """A key that nothing reads: of another branch, or of none."""
    key = str(where[-1])
    readers = [_branch(member) for member in spot.others if key in member.model_fields]
    if readers:
        return f"{dotted(where)} is not read with {spot.branch}: it belongs to {' or '.join(readers)}; take it out"
    known = list(spot.model.model_fields) if spot.model is not None else []
    return f"unknown key {dotted(where)}" + (f"; {hint(key, known)}" if known else "")
