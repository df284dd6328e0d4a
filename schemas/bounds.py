"""What a foreign writer's schema may ask of whoever decodes it: bounded bytes, depth and values, whatever the bytes say.

Avro lets thirteen bytes announce 10^11 items, when an item takes none (`null`, an empty record), and a few names make a
record of 2^40 nulls. Both follow from the schema alone, so they are found there, once a schema, before any record of it is
decoded. What passes decodes at most `VALUES_A_BYTE` values a byte and `VALUES_MAX` beside. Our own schemas pass (a test
says so), and a newer version of ours with any sensible field does.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

SCHEMA_MAX_CHARACTERS = 1_000_000
RECORD_MAX_BYTES = 4_000_000
"""No topic takes more."""
DEPTH_MAX = 64
VALUES_MAX = 10_000
"""Values that a record has outside its arrays and maps."""
VALUES_A_BYTE = 8
"""Of an array's or a map's item. An optional number has two values (itself and the choice) and takes a byte."""


class Unbounded(ValueError):
    """Records of the schema cannot be decoded within bounds; says which part."""


class Size(NamedTuple):
    """Of one value of a type, items of arrays and maps not counted."""

    least_bytes: int
    values: int


def check(schema: Any) -> None:
    """Raises `Unbounded` for a schema, as fastavro parses it, whose records may take more than the bounds."""
    size = _Walk().size(schema, "record", 0)
    if size.values > VALUES_MAX:
        raise Unbounded(f"a record holds {size.values} values outside its arrays; {VALUES_MAX} are the most")


class _Walk:
    """One pass over a schema. A named type is measured once, however often it is used."""

    def __init__(self) -> None:
        self._named: dict[str, Size | None] = {}
        """None: its measuring is under way."""

    def size(self, schema: Any, where: str, depth: int) -> Size:
        if depth > DEPTH_MAX:
            raise Unbounded(f"{where}: deeper than {DEPTH_MAX} levels")
        if isinstance(schema, list):
            branches = [self.size(branch, where, depth + 1) for branch in schema]
            if not branches:
                raise Unbounded(f"{where}: a union of nothing")
            return Size(1 + min(one.least_bytes for one in branches), 1 + max(one.values for one in branches))
        if isinstance(schema, Mapping):
            return self._complex(schema, where, depth)
        return self._simple(str(schema), where)

    def _simple(self, name: str, where: str) -> Size:
        if name in _LEAST_BYTES:
            return Size(_LEAST_BYTES[name], 1)
        if name not in self._named:
            raise Unbounded(f"{where}: type {name!r} is not known")
        size = self._named[name]
        if size is None:
            raise Unbounded(f"{where}: {name} holds itself, so a record may be nested without end")
        return size

    def _complex(self, schema: Mapping[str, Any], where: str, depth: int) -> Size:
        kind = schema["type"]
        if kind == "array":
            self._item(self.size(schema["items"], f"{where}[]", depth + 1), where)
            return Size(1, 1)
        if kind == "map":
            value = self.size(schema["values"], f"{where}{{}}", depth + 1)
            self._item(Size(1 + value.least_bytes, 1 + value.values), where)
            return Size(1, 1)
        if kind in ("record", "error"):
            return self._record(schema, depth)
        if kind == "enum":
            self._named[schema["name"]] = Size(1, 1)
            return Size(1, 1)
        if kind == "fixed":
            size = self._named[schema["name"]] = Size(int(schema["size"]), 1)
            return size
        return self.size(kind, where, depth + 1)

    def _record(self, schema: Mapping[str, Any], depth: int) -> Size:
        name = str(schema["name"])
        self._named[name] = None
        fields = [self.size(field["type"], f"{name}.{field['name']}", depth + 1) for field in schema["fields"]]
        size = Size(sum(one.least_bytes for one in fields), 1 + sum(one.values for one in fields))
        self._named[name] = size
        return size

    @staticmethod
    def _item(item: Size, where: str) -> None:
        if item.values > VALUES_A_BYTE * item.least_bytes:
            raise Unbounded(
                f"{where}: an item of {item.values} values may take {item.least_bytes} bytes, so a short record may "
                f"announce any number of them; {VALUES_A_BYTE} values a byte are the most"
            )


_LEAST_BYTES = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
