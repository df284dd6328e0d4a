"""Structures of a server's own types: their bytes to fields, by the description that the server gives of them. Pure."""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import from_binary, unpack_uatype
from asyncua.ua.uaerrors import UaError

DEPTH_MAX = 16
ELEMENTS_MAX = 1_000
"""Elements of an array inside a structure that are read; more are no value of ours anyway."""
BROKEN = (UaError, ValueError, struct.error, OverflowError)
"""How bytes that are not as described show."""
KNOWN_KINDS = frozenset(
    {ua.StructureType.Structure, ua.StructureType.StructureWithOptionalFields, ua.StructureType.Union}
)
STANDARD: Mapping[ua.NodeId, type] = {
    known.data_type: known for known in ua.extension_objects_by_typeid.values() if getattr(known, "data_type", None)
}
"""Structures of the standard itself, which asyncua reads."""


class Field(NamedTuple):
    name: str
    type: ua.NodeId
    dimensions: int
    """0: one value."""
    optional: bool


class Description(NamedTuple):
    """What a structure is made of, in order, fields of its base types first."""

    kind: ua.StructureType
    fields: tuple[Field, ...]


class Types(NamedTuple):
    """What a server has told of its types."""

    structures: Mapping[ua.NodeId, Description]
    """By data type."""
    simple: Mapping[ua.NodeId, ua.VariantType]
    """Data type → what it is sent as: of an enumeration a whole number."""


def builtin(type_: ua.NodeId) -> ua.VariantType | None:
    """What a type of the standard's first 25 is sent as."""
    if type_.NamespaceIndex == 0 and isinstance(type_.Identifier, int) and 1 <= type_.Identifier <= 25:
        return ua.VariantType(type_.Identifier)
    return None


def standard(type_: ua.NodeId) -> bool:
    """Whether a type is read without a description: the standard has it."""
    return builtin(type_) is not None or (type_.NamespaceIndex == 0 and type_ in STANDARD)


def described(definition: Any) -> Description | None:
    """The description in a DataTypeDefinition; None for what is none, or a kind that we do not read."""
    if not isinstance(definition, ua.StructureDefinition) or definition.StructureType not in KNOWN_KINDS:
        return None
    fields = (
        Field(str(field.Name), field.DataType, max(field.ValueRank, 0), bool(field.IsOptional))
        for field in definition.Fields or ()
    )
    return Description(definition.StructureType, tuple(fields))


def fields_of(types: Types, type_: ua.NodeId, body: bytes) -> dict[str, Any]:
    """The fields of a structure. Raises `ValueError` for bytes that are not as described, or a type that is not."""
    try:
        return _structure(types, type_, Buffer(body), 0)
    except BROKEN as error:
        raise ValueError(
            f"a structure that is not as the server describes it: {error or type(error).__name__}"
        ) from None


def _structure(types: Types, type_: ua.NodeId, data: Buffer, depth: int) -> dict[str, Any]:
    description = types.structures.get(type_)
    if description is None or depth > DEPTH_MAX:
        raise ValueError(f"type {type_.to_string()} is not described" if description is None else "nested too deep")
    fields = description.fields
    if description.kind == ua.StructureType.Union:
        chosen = unpack_uatype(ua.VariantType.UInt32, data)
        if chosen > len(fields):
            raise ValueError(f"field {chosen} of a union of {len(fields)}")
        return {it.name: _field(types, it, data, depth) for it in fields[chosen - 1 : chosen] if chosen}
    there = -1
    if description.kind == ua.StructureType.StructureWithOptionalFields:
        there = unpack_uatype(ua.VariantType.UInt32, data)
    read: dict[str, Any] = {}
    bit = 1
    for field in fields:
        given = True
        if field.optional and there >= 0:
            given, bit = bool(there & bit), bit << 1
        read[field.name] = _field(types, field, data, depth) if given else None
    return read


def _field(types: Types, field: Field, data: Buffer, depth: int) -> Any:
    if not field.dimensions:
        return _one(types, field.type, data, depth)
    if field.dimensions == 1:
        return [_one(types, field.type, data, depth) for _ in range(_length(data))]
    sizes = [unpack_uatype(ua.VariantType.Int32, data) for _ in range(_length(data))]
    return _grid(types, field.type, data, depth, sizes)


def _grid(types: Types, type_: ua.NodeId, data: Buffer, depth: int, sizes: list[int]) -> Any:
    if not sizes:
        return _one(types, type_, data, depth)
    if not 0 <= sizes[0] <= ELEMENTS_MAX or len(sizes) > DEPTH_MAX:
        raise ValueError(f"an array of {sizes}")
    return [_grid(types, type_, data, depth, sizes[1:]) for _ in range(sizes[0])]


def _length(data: Buffer) -> int:
    length = int(unpack_uatype(ua.VariantType.Int32, data))
    if length > ELEMENTS_MAX:
        raise ValueError(f"an array of {length} elements, at most {ELEMENTS_MAX} are read")
    return max(length, 0)


def _one(types: Types, type_: ua.NodeId, data: Buffer, depth: int) -> Any:
    kind = builtin(type_) or types.simple.get(type_)
    if kind is not None:
        return unpack_uatype(kind, data)
    if standard(type_):
        return from_binary(STANDARD[type_], data)
    return _structure(types, type_, data, depth + 1)
