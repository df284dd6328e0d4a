"""An hour of a ledger."""

from schemas.records import Derived

Key = tuple[str, int]
"""(kind, started_at)."""


class Segment:
    """Records whose interval begins in one hour: `new` goes before what is packed."""

    __slots__ = ("count", "new", "packed")

    def __init__(self) -> None:
        self.new: dict[Key, Derived] = {}
        self.packed: bytes | None = None
        self.count = 0
        """Records packed."""
