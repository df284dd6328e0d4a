"""Which rows were told lately: so that what is read again for the sake of late ones is told once, and anew if it changed. Pure."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.kit.mark import Mark

TOLD_MAX = 50_000
"""Rows that are remembered. Of an overlap that holds more, only so many are read again."""


class _Row(NamedTuple):
    watermark: Any
    """None: from before a restart, where only the hashes are kept."""
    content: bytes


class Told:
    """Rows of the latest pass and the one before it, by the hash of their key. A pass reads from `floor` on, so all it meets
    is remembered by one of them."""

    def __init__(self, kept: Mapping[bytes, bytes]) -> None:
        self._now: OrderedDict[bytes, _Row] = OrderedDict()
        self._before = OrderedDict((key, _Row(None, content)) for key, content in kept.items())
        self._changes: dict[bytes, bytes | None] = {}
        self._whole = False
        self.floor: Any = None
        """The watermark of a row that had to be forgotten: up to it nothing may be read again."""
        self.full = False
        """Whether there was one in the latest pass."""

    def begin(self) -> None:
        """A pass begins. What one told that was broken off counts with what was known before it."""
        if self._whole and self._now:
            gone, self._before = self._before.keys() - self._now.keys(), self._now
            self._changes |= dict.fromkeys(gone)
        else:
            self._before.update(self._now)
            while len(self._before) > TOLD_MAX:
                self._forget(self._before)
        self._now, self._whole, self.full = OrderedDict(), False, False

    def end(self) -> None:
        """The pass has met the newest row."""
        self._whole = True

    def news(self, mark: Mark, row: Mapping[str, Any]) -> bool:
        """Whether a row is new, or another than it was; from now on it is told."""
        key, content = _hash(mark.key), _hash(sorted(row.items(), key=lambda item: item[0]))
        known = self._now.get(key) or self._before.get(key)
        self._now[key] = _Row(mark.watermark, content)
        self._now.move_to_end(key)
        if known is None or known.content != content:
            self._changes[key] = content
        if len(self._now) > TOLD_MAX:
            self._forget(self._now)
        return known is None or known.content != content

    def changes(self) -> dict[bytes, bytes | None]:
        """What is known otherwise than when this was last asked, to be kept over a restart; None: forgotten."""
        changes, self._changes = self._changes, {}
        return changes

    def _forget(self, rows: OrderedDict[bytes, _Row]) -> None:
        key, forgotten = rows.popitem(last=False)
        if key not in self._now and key not in self._before:
            self._changes[key] = None
        if forgotten.watermark is not None:
            self.floor, self.full = forgotten.watermark, True


def _hash(value: object) -> bytes:
    """Of all that a value holds, with the types."""
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).digest()
