"""The registry's state as a pure fold of the `_schemas` topic, in Confluent's record format.

Another registry that speaks the format can take the topic over, and this one can take over theirs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.compatibility import Level


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of a subject."""

    subject: str
    version: int
    id: int
    schema: str
    deleted: bool = False


@dataclass
class Store:
    """`apply` takes one record of the topic. Ids are global: one schema text, one id, in every subject."""

    subjects: dict[str, dict[int, Version]] = field(default_factory=dict)
    text_of: dict[int, str] = field(default_factory=dict)
    level: Level = Level.BACKWARD
    levels: dict[str, Level] = field(default_factory=dict)
    unreadable: int = 0
    """Records of the topic that no known kind describes; they are kept and passed over."""

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """One record of the topic, in order. A record that cannot be read changes nothing but `unreadable`."""
        try:
            name = json.loads(key or b"null")
            content = json.loads(value) if value else None
            self._apply(name, content)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.unreadable += 1

    def _apply(self, key: Mapping[str, Any], value: Mapping[str, Any] | None) -> None:
        match key["keytype"]:
            case "SCHEMA":
                self._apply_schema(key, value)
            case "CONFIG":
                subject = key.get("subject")
                level = Level(value["compatibilityLevel"]) if value else None
                if subject is None:
                    self.level = level or Level.BACKWARD
                elif level is None:
                    self.levels.pop(subject, None)
                else:
                    self.levels[subject] = level
            case "DELETE_SUBJECT" if value is not None:
                for number, one in self.subjects.get(value["subject"], {}).items():
                    if number <= value["version"]:
                        self.subjects[value["subject"]][number] = replace(one, deleted=True)
            case "NOOP" | "MODE" | "CLEAR_SUBJECT" | "DELETE_SUBJECT":
                pass
            case _:
                self.unreadable += 1

    def _apply_schema(self, key: Mapping[str, Any], value: Mapping[str, Any] | None) -> None:
        subject, number = key["subject"], key["version"]
        if value is None:  # deleted for good; the id stays taken, and what it wrote stays readable
            versions = self.subjects.get(subject, {})
            versions.pop(number, None)
            if not versions:
                self.subjects.pop(subject, None)
            return
        one = Version(subject, number, value["id"], value["schema"], bool(value.get("deleted")))
        self.text_of.setdefault(one.id, one.schema)
        self.subjects.setdefault(subject, {})[number] = one

    def versions(self, subject: str, deleted: bool = False) -> list[Version]:
        """Oldest first; those marked deleted only when asked for."""
        return [one for _, one in sorted(self.subjects.get(subject, {}).items()) if deleted or not one.deleted]

    def names(self, deleted: bool = False) -> list[str]:
        return sorted(subject for subject in self.subjects if self.versions(subject, deleted))

    def find(self, subject: str, schema: str, deleted: bool = False) -> Version | None:
        """The version of a subject that has this schema."""
        wanted = canonical(schema)
        return next((one for one in self.versions(subject, deleted) if canonical(one.schema) == wanted), None)

    def id_of(self, schema: str) -> int | None:
        """The id this schema has in any subject."""
        wanted = canonical(schema)
        return next((id_ for id_, text in self.text_of.items() if canonical(text) == wanted), None)

    def next_id(self) -> int:
        return max(self.text_of, default=0) + 1

    def next_version(self, subject: str) -> int:
        return max(self.subjects.get(subject, {}), default=0) + 1

    def level_of(self, subject: str) -> Level:
        return self.levels.get(subject, self.level)


def canonical(schema: str) -> str:
    """The same text for schemas that differ in white space only. Raises `ValueError` when it is not JSON."""
    return json.dumps(json.loads(schema), separators=(",", ":"), ensure_ascii=False)


def schema_record(one: Version) -> tuple[bytes, bytes]:
    key = {"keytype": "SCHEMA", "subject": one.subject, "version": one.version, "magic": 1}
    value = {"subject": one.subject, "version": one.version, "id": one.id, "schema": one.schema, "deleted": one.deleted}
    return _json(key), _json(value)


def schema_tombstone(one: Version) -> tuple[bytes, None]:
    return _json({"keytype": "SCHEMA", "subject": one.subject, "version": one.version, "magic": 1}), None


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
