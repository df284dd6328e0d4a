"""Selectors: what of a JSON document is meant, in JMESPath. Compiled once; a plain chain of names takes no detour. Pure."""

from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from pydantic import AfterValidator

MISSING = object()
"""What a selector finds where nothing is."""


class BadSelection(ValueError):
    """An expression that has no answer for this document: a function of another type than it takes."""


class Selector:
    """Raises `ValueError` for what is no expression, in words that name the place."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            words = str(error).splitlines()[0].removesuffix(", for expression:")
            raise ValueError(f"{text!r} is no JMESPath: {words}{_quote(text)}") from None
        _check(self._compiled.parsed)
        self.chain = _chain(self._compiled.parsed)
        """The names and places one after another; None: more than that."""

    def find(self, document: Any) -> Any:
        """What is meant, or `MISSING`. A null is one where names lead to it; of other expressions it means nothing found.

        Raises `BadSelection`.
        """
        if self.chain is None:
            try:
                found = self._compiled.search(document)
            except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
                raise BadSelection(f"`{self.text}` has no answer: {str(error)[:200]}") from None
            return MISSING if found is None else found
        for step in self.chain:
            if isinstance(step, str):
                if not isinstance(document, dict) or step not in document:
                    return MISSING
            elif not isinstance(document, list) or not -len(document) <= step < len(document):
                return MISSING
            document = document[step]
        return document


def _quote(text: str) -> str:
    return "; a name with other letters than A-Z, 0-9 and _ stands in double quotes" if '"' not in text else ""


def _chain(node: Any) -> list[str | int] | None:
    kind = node["type"]
    if kind in ("field", "index"):
        return [node["value"]]
    if kind in ("subexpression", "index_expression"):
        chains = [_chain(child) for child in node["children"]]
        return None if None in chains else [step for chain in chains if chain for step in chain]
    return [] if kind in ("current", "identity") else None


def _check(node: Any) -> None:
    """Raises `ValueError` for a function that is none, or has another number of arguments: JMESPath looks only as it runs."""
    if not isinstance(node, dict):
        return
    if node.get("type") == "function_expression":
        known = Functions.FUNCTION_TABLE.get(node["value"])
        if known is None:
            raise ValueError(f"JMESPath has no function {node['value']}()")
        wanted, given = known["signature"], len(node["children"])
        open_ended = bool(wanted) and wanted[-1].get("variadic", False)
        if given < len(wanted) or (given > len(wanted) and not open_ended):
            raise ValueError(f"{node['value']}() takes {len(wanted)} arguments, not {given}")
    for child in node.get("children", ()):
        _check(child)


def _checked(text: str) -> str:
    Selector(text)
    return text


SelectorText = Annotated[str, AfterValidator(_checked)]
"""An option that is an expression."""
