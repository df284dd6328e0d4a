"""What people type as an argument becomes a value here; what is none is refused with the nearest right word."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from topology.nearest import listed
from topology.nearest import nearest as nearest_word
from uns.errors import UserError

if TYPE_CHECKING:
    from topology.namespace.classes import MessageClass
    from topology.namespace.filters import Filter
    from topology.namespace.path import Path

Value = TypeVar("Value")


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'? (there are x, y)`, or only what there is."""
    names = list(known)
    close = nearest_word(name, names)
    there = f"there are {listed(names)}"
    return f"did you mean {close!r}? ({there})" if close is not None else there


def choice(option: str, text: str, known: Mapping[str, Value], offered: Iterable[str] | None = None) -> Value:
    """The value of one of the known words. Raises `UserError` that names the option, and what is offered of them."""
    try:
        return known[text]
    except KeyError:
        raise UserError(f"{option} {text}: {nearest(text, known if offered is None else offered)}") from None


def member(kind: str, name: str, known: Mapping[str, Value], where: str) -> Value:
    """What goes by a name, such as a connector of the plant model. Raises `UserError`."""
    if name not in known:
        raise UserError(f"{kind} {name!r} is not in {where}; {nearest(name, known)}")
    return known[name]


def classes_of(names: Iterable[str], offered: Iterable[str] | None = None) -> "list[MessageClass]":
    """The message classes of `--class`. `offered`: what a hint names, of all. Raises `UserError`."""
    from topology.namespace.classes import MessageClass

    known = {str(each): each for each in MessageClass}
    return [choice("--class", name, known, offered) for name in names]


def filter_of(text: str) -> "Filter":
    """Raises `UserError`."""
    from topology.namespace.filters import BadFilter, Filter

    try:
        return Filter.parse(text)
    except BadFilter as error:
        raise UserError(str(error)) from error


def path_of(text: str) -> "Path":
    """Raises `UserError`."""
    from topology.namespace.path import BadPath, Path

    try:
        return Path.parse(text)
    except BadPath as error:
        raise UserError(str(error)) from error
