"""What a value of OPC UA is as ours (docs/values.md): its parts, each a name and a scalar. Pure."""

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncua import ua

from schemas.records import Value, is_good, is_uncertain

PARTS_MAX = 64
"""Parts of one value: elements of an array, fields of a structure, those inside others too."""
BYTES_MAX = 512
"""Of a ByteString; in hex it is as long as a tag's text may be."""
DEPTH_MAX = 16
_SCALARS = (
    ua.NodeId,
    ua.LocalizedText,
    ua.QualifiedName,
    ua.StatusCode,
    ua.XmlElement,
    ua.ExtensionObject,
    ua.DataValue,
)
"""Dataclasses that are one value, or none."""
_NOT_THE_SOURCES = frozenset({"Encoding", "TypeId"})
"""Fields that say how a structure is sent."""


def parts(tag: str, raw: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(tag, scalar) of all that is in a value, in order. Raises `ValueError` for what is nested too deep."""
    if depth > DEPTH_MAX:
        raise ValueError(f"nested more than {DEPTH_MAX} deep")
    if isinstance(raw, ua.ExtensionObject) and raw.TypeId.is_null():
        yield tag, None
    elif isinstance(raw, ua.Variant):
        yield from parts(tag, raw.Value, depth + 1)
    elif isinstance(raw, list | tuple):
        for place, element in enumerate(raw):
            yield from parts(f"{tag}.{place}", element, depth + 1)
    elif isinstance(raw, dict):
        for name, field in raw.items():
            yield from parts(f"{tag}.{name}", field, depth + 1)
    elif is_dataclass(raw) and not isinstance(raw, _SCALARS):
        named = {field.name: getattr(raw, field.name) for field in fields(raw) if field.name not in _NOT_THE_SOURCES}
        yield from parts(tag, named, depth)
    else:
        yield tag, raw


def scalar(raw: Any, quality: int) -> Value:
    """One value as ours. Raises `TypeError` and `ValueError` for what is none, in words."""
    if raw is None or isinstance(raw, bool):
        return raw
    if isinstance(raw, int):
        if not -(2**63) <= raw < 2**63:
            raise ValueError(f"{raw} does not fit 64 bits with a sign")
        return int(raw)  # of an enumeration its number
    if isinstance(raw, float):
        return _finite(float(raw), quality)
    if isinstance(raw, bytes):
        if len(raw) > BYTES_MAX:
            raise ValueError(f"a ByteString of {len(raw)} bytes, at most {BYTES_MAX} are read")
        return raw.hex()
    if isinstance(raw, datetime):
        return (raw if raw.tzinfo else raw.replace(tzinfo=UTC)).isoformat()
    if isinstance(raw, ua.StatusCode):
        return int(raw.value)
    if (text := _words(raw)) is not None:
        return _text(text)
    raise TypeError(_why_not(raw))


def _finite(raw: float, quality: int) -> float | None:
    """NaN is how many servers say that a sensor failed: beside a bad quality it is no value, and no fault."""
    if math.isfinite(raw):
        return raw
    if not is_good(quality) and not is_uncertain(quality):
        return None
    raise ValueError(f"{raw} is no number that can be counted with, and its quality does not say that it is bad")


def _words(raw: Any) -> str | None:
    """The text of what is text, or has one."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, ua.LocalizedText):
        return raw.Text or ""
    if isinstance(raw, ua.QualifiedName):
        return raw.Name or ""
    if isinstance(raw, ua.XmlElement):
        return raw.Value or ""
    if isinstance(raw, UUID):
        return str(raw)
    if isinstance(raw, ua.NodeId):
        return str(raw.to_string())
    return None


def _why_not(raw: Any) -> str:
    if isinstance(raw, ua.ExtensionObject):
        return f"a structure of type {raw.TypeId.to_string()}, which the server does not describe, or not as it sends it; list its parts one by one"
    return f"a {type(raw).__name__} is no value of a tag; list the variables inside it one by one"


def _text(raw: str) -> str:
    """Raises `ValueError` for what UTF-8 cannot hold."""
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise ValueError("the text holds half of a surrogate pair, which is no character") from None
    return str(raw)
