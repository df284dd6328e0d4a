"""Random records of every type, drawn from the `.avsc` files: whatever a schema allows."""

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from schemas.catalog import source
from schemas.records import TYPES, Record

_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(),
    "string": st.text(max_size=20),
}


def records(name: str) -> st.SearchStrategy[Record]:
    """Records of one type."""
    return _values(json.loads(source(name)), {}).map(lambda value: msgspec.convert(value, TYPES[name]))


def any_record() -> st.SearchStrategy[Record]:
    """Records of any type."""
    return st.sampled_from(list(TYPES)).flatmap(records)


def _values(schema: Any, named: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.one_of([_values(part, named) for part in schema])
    if isinstance(schema, str):
        return _PRIMITIVES[schema] if schema in _PRIMITIVES else named[schema]
    match schema["type"]:
        case "record":
            fields = {field["name"]: _values(field["type"], named) for field in schema["fields"]}
            named[schema["name"]] = st.fixed_dictionaries(fields)
            return named[schema["name"]]
        case "array":
            return st.lists(_values(schema["items"], named), max_size=4)
        case "map":
            return st.dictionaries(st.text(max_size=8), _values(schema["values"], named), max_size=4)
        case inner:
            return _values(inner, named)
