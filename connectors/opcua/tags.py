"""Which tags a variable speaks of: its own, or those of the parts of an array or a structure."""

from collections.abc import Iterable

from connectors.base import Resume
from connectors.opcua.novelty import TagKey

REMEMBERED_MAX = 256
"""Tags of the parts of one variable: an array may change its length, and a structure its type."""


class Tags:
    """Lives as long as the connector; `reopened` begins a connection."""

    def __init__(self) -> None:
        self._own: set[TagKey] = set()
        self._parts: dict[TagKey, dict[TagKey, None]] = {}
        self._resumed: dict[TagKey, list[TagKey]] = {}
        """By what stands before any dot in it, what was safe before this connection."""

    def reopened(self, resume: Resume) -> None:
        self._own = set()
        self._resumed = {}
        for path, tag in resume:
            for place, letter in enumerate(tag):
                if letter == ".":
                    self._resumed.setdefault((path, tag[:place]), []).append((path, tag))

    def own(self, keys: Iterable[TagKey]) -> None:
        """These are variables, and no parts of another one."""
        self._own.update(keys)

    def told(self, key: TagKey, part: TagKey) -> None:
        """A value of the variable `key` said something of a part of it."""
        if part != key and len(parts := self._parts.setdefault(key, {})) < REMEMBERED_MAX:
            parts[part] = None

    def parts(self, key: TagKey) -> list[TagKey]:
        """What is known of its parts, now and before this connection; empty of a variable that has none."""
        if key not in self._parts and key not in self._resumed:
            return []
        before = [part for part in self._resumed.get(key, ()) if part not in self._own]
        return list({**self._parts.get(key, {}), **dict.fromkeys(before)})

    def of(self, key: TagKey) -> list[TagKey]:
        """All tags that it may speak of, its own included: what it says may change its shape."""
        return [key, *self.parts(key)]
