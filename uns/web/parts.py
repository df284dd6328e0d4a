"""A view as bytes: each of its parts is written once, and numbered by when it last changed. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


class Parts:
    """The newest view that somebody asks for, for all who ask the same. One who has seen version `n` is told of what changed
    since, and of what is gone; one who has seen nothing is told all."""

    __slots__ = ("_bodies", "_changed", "_told", "version")

    def __init__(self) -> None:
        self.version = 0
        """Grows with each change; 0: nothing yet."""
        self._bodies: dict[str, bytes] = {}
        self._changed: dict[str, int] = {}
        """Part → version of its last change; of one that is gone, too."""
        self._told: dict[int, str] = {}
        """Version seen → what is told; of this version."""

    def put(self, view: Mapping[str, Any]) -> bool:
        """Takes in a new view; whether it says anything else than before."""
        bodies = {name: _encode(part) for name, part in view.items()}
        changed = [name for name in {*bodies, *self._bodies} if bodies.get(name) != self._bodies.get(name)]
        if not changed and self.version:
            return False
        self.version += 1
        self._changed |= dict.fromkeys(changed, self.version)
        self._bodies = bodies
        self._told.clear()
        return True

    def since(self, seen: int) -> str:
        """`{"all": bool, "parts": {…}, "gone": […]}`, for one who has seen this version."""
        if (told := self._told.get(seen)) is None:
            told = self._told[seen] = self._since(seen)
        return told

    def _since(self, seen: int) -> str:
        changed = {name for name, version in self._changed.items() if version > seen}
        parts = b",".join(_encode(name) + b":" + body for name, body in self._bodies.items() if name in changed)
        gone = _encode(sorted(changed - set(self._bodies)))
        return (
            b'{"all":' + (b"false" if seen else b"true") + b',"parts":{' + parts + b'},"gone":' + gone + b"}"
        ).decode()
