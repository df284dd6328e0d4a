"""The registry's state as a pure fold of the `_schemas` topic, in Confluent's record format.

Another registry that speaks the format can take the topic over, and this one can take over theirs.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from schemas.compatibility import Level

_ID_MAX = 2**31 - 1
_OURS = ("subject", "version", "id", "schema", "deleted")


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of a subject."""

    subject: str
    version: int
    id: int
    schema: str
    deleted: bool = False
    rest: Mapping[str, Any] = field(default_factory=dict)
    """What another registry wrote beside it (`schemaType`, `references`, …): kept when it is written again."""

    @property
    def type(self) -> str:
        return str(self.rest.get("schemaType") or "AVRO")


@dataclass
class SchemaStore:
    """`apply` takes one record of the topic. Ids are global: one schema text, one id, in every subject."""

    subjects: dict[str, dict[int, Version]] = field(default_factory=dict)
    level: Level = Level.BACKWARD
    levels: dict[str, Level] = field(default_factory=dict)
    highest_id: int = 0
    """The highest id ever given; never given again, even after its schema is deleted and compacted away."""
    unreadable: int = 0
    """Records of the topic that no known kind describes; they are kept and passed over."""

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """One record of the topic, in order. A record that cannot be read changes nothing but `unreadable`."""
        try:
            name = json.loads(key or b"null")
            content = json.loads(value) if value else None
            self._apply(name, content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.unreadable += 1

    def _apply(self, key: Mapping[str, Any], value: Mapping[str, Any] | None) -> None:
        match key["keytype"]:
            case "SCHEMA":
                self._apply_schema(key, value)
            case "CONFIG":
                subject = None if key.get("subject") is None else _text(key["subject"])
                level = Level(value["compatibilityLevel"]) if value else None
                if subject is None:
                    self.level = level or Level.BACKWARD
                elif level is None:
                    self.levels.pop(subject, None)
                else:
                    self.levels[subject] = level
            case "DELETE_SUBJECT" if value is not None:
                last = _number(value["version"])
                for number, version in self.subjects.get(value["subject"], {}).items():
                    if number <= last:
                        self.subjects[value["subject"]][number] = replace(version, deleted=True)
            case "NOOP" if value is not None:
                self.highest_id = max(self.highest_id, _number(value["highestId"]))
            case "NOOP" | "MODE" | "CLEAR_SUBJECT" | "DELETE_SUBJECT":
                pass
            case _:
                self.unreadable += 1

    def _apply_schema(self, key: Mapping[str, Any], value: Mapping[str, Any] | None) -> None:
        subject, number = _text(key["subject"]), _number(key["version"])
        if value is None:
            versions = self.subjects.get(subject, {})
            versions.pop(number, None)
            if not versions:
                self.subjects.pop(subject, None)
            return
        rest = {name: part for name, part in value.items() if name not in _OURS}
        id_, schema = _number(value["id"]), _text(value["schema"])
        version = Version(subject, number, id_, schema, bool(value.get("deleted")), rest)
        if version.type == "AVRO":
            canonical(schema)  # one that is none would break every later look for a schema
        self.subjects.setdefault(subject, {})[number] = version
        self.highest_id = max(self.highest_id, id_)

    def versions(self, subject: str, deleted: bool = False) -> list[Version]:
        """Oldest first; those marked deleted only when asked for."""
        return [
            version for _, version in sorted(self.subjects.get(subject, {}).items()) if deleted or not version.deleted
        ]

    def names(self, deleted: bool = False) -> list[str]:
        return sorted(subject for subject in self.subjects if self.versions(subject, deleted))

    def find(self, subject: str, schema: str, deleted: bool = False) -> Version | None:
        """The version of a subject that has this Avro schema."""
        return next((version for version in self.versions(subject, deleted) if _same(version, schema)), None)

    def id_of(self, schema: str) -> int | None:
        """The id this Avro schema has in any subject, deleted ones too."""
        every = (version for versions in self.subjects.values() for version in versions.values())
        return next((version.id for version in every if _same(version, schema)), None)

    def with_id(self, id_: int) -> list[Version]:
        """Every version that has an id, deleted ones too, by subject and number."""
        every = (version for versions in self.subjects.values() for version in versions.values())
        return sorted(
            (version for version in every if version.id == id_), key=lambda version: (version.subject, version.version)
        )

    def next_id(self) -> int:
        return self.highest_id + 1

    def next_version(self, subject: str) -> int:
        return max(self.subjects.get(subject, {}), default=0) + 1

    def level_of(self, subject: str) -> Level:
        return self.levels.get(subject, self.level)


def _number(value: object) -> int:
    """An id or a version. Raises `ValueError` for what a client could not be told, or could not write into a header."""
    if type(value) is not int or not 0 <= value <= _ID_MAX:
        raise ValueError(f"{value!r:.100} is no id or version")
    return value


def _text(value: object) -> str:
    """Raises `ValueError` for what is no text, or none that can be answered with (half of a surrogate pair)."""
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    value.encode()
    return value


def _same(version: Version, schema: str) -> bool:
    return version.type == "AVRO" and canonical(version.schema) == canonical(schema)


@lru_cache(4096)
def canonical(schema: str) -> str:
    """The same text for schemas that differ in white space only. Raises `ValueError` when it is not JSON."""
    return json.dumps(json.loads(schema), separators=(",", ":"), ensure_ascii=False)


def schema_record(version: Version) -> tuple[bytes, bytes]:
    """Registers a version, or marks it deleted."""
    value = {
        "subject": version.subject,
        "version": version.version,
        "id": version.id,
        **version.rest,
        "schema": version.schema,
    }
    return _json(_schema_key(version)), _json(value | {"deleted": version.deleted})


def removal_records(versions: Iterable[Version], highest_id: int) -> list[tuple[bytes, bytes | None]]:
    """Removes versions for good. Compaction then forgets their ids, so the highest one given is written down:
    an id must never come to mean another schema. Other registries pass a NOOP over."""
    removed: list[tuple[bytes, bytes | None]] = [(_json(_schema_key(version)), None) for version in versions]
    return [*removed, (_json({"keytype": "NOOP", "magic": 0}), _json({"highestId": highest_id}))]


def _schema_key(version: Version) -> dict[str, Any]:
    return {"keytype": "SCHEMA", "subject": version.subject, "version": version.version, "magic": 1}


def config_record(subject: str | None, level: Level | None) -> tuple[bytes, bytes | None]:
    key = {"keytype": "CONFIG", "subject": subject, "magic": 0}
    return _json(key), None if level is None else _json({"compatibilityLevel": level})


def delete_record(subject: str, version: int) -> tuple[bytes, bytes]:
    return _json({"keytype": "DELETE_SUBJECT", "subject": subject, "magic": 0}), _json(
        {"subject": subject, "version": version}
    )


def _json(value: Any) -> bytes:
    # Confluent's key order and spelling: compaction compares bytes
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
