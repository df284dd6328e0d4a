"""What a lake has been given and not committed yet: rows by table, how far they reach, and the positions to store. Pure."""

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

Place = tuple[str, int]
"""(topic, partition)."""
Ends = dict[Place, int]
"""Place → next offset."""


class Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


RowsT = TypeVar("RowsT", bound=Sized)


class Gathered(Generic[RowsT]):
    """Survives a target that is away: the runner takes what was accepted for written, and brings it only once."""

    def __init__(self) -> None:
        self._rows: dict[str, list[RowsT]] = {}
        self._ends: dict[str, Ends] = {}
        self.positions: Ends = {}
        """As far as the runner has said that reading may go on."""
        self.seen: Ends = {}
        """As far as rows were accepted, whether they are committed by now or not."""
        self._rows_since: float | None = None
        self._moved_since: float | None = None

    @property
    def bytes(self) -> int:
        return sum(rows.nbytes for batches in self._rows.values() for rows in batches)

    def put(self, table: str, rows: Sequence[RowsT], ends: Mapping[Place, int], now: float) -> None:
        """`ends`: the next offsets behind the rows."""
        self._rows.setdefault(table, []).extend(rows)
        kept = self._ends.setdefault(table, {})
        for place, end in ends.items():
            kept[place] = max(end, kept.get(place, 0))
        if self._rows_since is None:
            self._rows_since = now

    def accept(self, ends: Mapping[Place, int]) -> None:
        """Rows below these offsets have been put, or were none."""
        for place, end in ends.items():
            self.seen[place] = max(end, self.seen.get(place, 0))

    def move(self, positions: Mapping[Place, int], now: float) -> None:
        """Never back: what comes again has been accepted."""
        for place, offset in positions.items():
            if offset > self.positions.get(place, -1):
                self.positions[place] = offset
                if self._moved_since is None:
                    self._moved_since = now

    def due(self, now: float, commit_s: float, idle_s: float, bytes_max: int) -> bool:
        """Whether to commit now. Positions without rows wait longer: they alone make no commit worth its file."""
        if self._rows_since is not None and (now - self._rows_since >= commit_s or self.bytes >= bytes_max):
            return True
        return self._moved_since is not None and now - self._moved_since >= (max(commit_s, idle_s) if commit_s else 0)

    def tables(self) -> list[str]:
        """Those that have rows."""
        return list(self._rows)

    def rows(self, table: str) -> list[RowsT]:
        return self._rows.get(table, [])

    def ends(self, table: str) -> Ends:
        return self._ends.get(table, {})

    def committed(self, table: str) -> None:
        self._rows.pop(table, None)
        self._ends.pop(table, None)
        if not self._rows:
            self._rows_since = None

    def settled(self) -> None:
        """All positions are stored."""
        self._moved_since = None
