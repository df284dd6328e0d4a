"""Whether data written with one schema can be read with another: verdicts of Apache `avro`, levels as registries name them."""

import json
from collections.abc import Mapping
from enum import StrEnum

import avro.errors
import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType


class Level(StrEnum):
    """Against the newest version, or with _TRANSITIVE against every version."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def transitive(self) -> bool:
        return self.value.endswith("_TRANSITIVE")


class InvalidSchema(ValueError):
    """Text that is no Avro schema; the message says why."""


def check(text: str) -> None:
    """Raises `InvalidSchema`."""
    _parse(text)


def problems(new: str, versions: Mapping[int, str], level: Level) -> list[str]:
    """Why `new` may not follow `versions` (number → text, oldest first) at a level, each with what and the JSON path in
    the schema; empty when it may. Raises `InvalidSchema` when `new` is none."""
    schema = _parse(new)
    if level is Level.NONE:
        return []
    reasons = []
    for number, text in list(versions.items())[None if level.transitive else -1 :]:
        try:
            old = _parse(text)
        except InvalidSchema as error:
            reasons.append(f"version {number} cannot be compared: {error}")
            continue
        if level.startswith(("BACKWARD", "FULL")):
            reasons += [f"cannot read what version {number} wrote: {problem}" for problem in _read(schema, old)]
        if level.startswith(("FORWARD", "FULL")):
            reasons += [f"version {number} cannot read what it writes: {problem}" for problem in _read(old, schema)]
    return reasons


def _read(reader: avro.schema.Schema, writer: avro.schema.Schema) -> list[str]:
    result = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    kinds = ", ".join(sorted(kind.value for kind in result.incompatibilities))
    messages = ", ".join(sorted(result.messages))
    return [f"{kinds} at {', '.join(sorted(result.locations))} ({messages})"]


def _parse(text: str) -> avro.schema.Schema:
    try:
        return avro.schema.parse(text)
    except (avro.errors.AvroException, json.JSONDecodeError, AttributeError, TypeError) as error:
        raise InvalidSchema(f"not an Avro schema: {error}") from error
