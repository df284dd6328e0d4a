"""State values that are longer than a record may be: in parts in the changelog, joined again at a restore.

A value lies whole under its key, or in parts under `…/part/<n>/<key>`, never both: what is left over of the other form is
taken back in the same transaction.
"""

from collections.abc import Iterator, Mapping
from itertools import count

PART_BYTES = 1_000_000
"""Of a part, and so of any value in the changelog."""


class Parts:
    """The keys of one fold in its changelog. `lead`: what they all begin with, e.g. `raw`."""

    def __init__(self, lead: str) -> None:
        self._whole, self._part = f"{lead}/state/", f"{lead}/part/"
        self._counts: dict[str, int] = {}
        """Name → parts, of the values that lie in parts."""

    def whole_key(self, name: str) -> bytes:
        return (self._whole + name).encode()

    def name(self, key: bytes) -> str | None:
        """Of the value that lies whole under a key; None for any other key."""
        text = key.decode(errors="replace")
        return text.removeprefix(self._whole) if text.startswith(self._whole) else None

    def owns(self, key: bytes) -> bool:
        """Whether a key holds a value of the fold, or a part of one."""
        return key.startswith((self._whole.encode(), self._part.encode()))

    def split(self, name: str, value: bytes | None, known: bool) -> Iterator[tuple[bytes, bytes | None]]:
        """Keys and values to write so that a value lies there. `known`: whether there was a value before."""
        before = self._counts.pop(name, 0)
        if value is None or len(value) <= PART_BYTES:
            now = 0
            yield self.whole_key(name), value
        else:
            now = self._counts[name] = -(-len(value) // PART_BYTES)
            if known and not before:
                yield self.whole_key(name), None
            for number in range(now):
                yield self._part_key(number, name), value[number * PART_BYTES : (number + 1) * PART_BYTES]
        for number in range(now, before):
            yield self._part_key(number, name), None

    def join(self, values: Mapping[bytes, bytes]) -> Iterator[tuple[str, bytes]]:
        """Name and value of all that lies under these keys; other keys are passed over. Remembers what lies in parts."""
        for key, value in values.items():
            if (name := self.name(key)) is not None:
                yield name, value
        first = self._part_key(0, "").decode()
        for key in values:
            text = key.decode(errors="replace")
            if text.startswith(first):
                name = text.removeprefix(first)
                parts = []
                for number in count():
                    part = values.get(self._part_key(number, name))
                    if part is None:
                        break
                    parts.append(part)
                self._counts[name] = len(parts)
                yield name, b"".join(parts)

    def _part_key(self, number: int, name: str) -> bytes:
        return f"{self._part}{number}/{name}".encode()
