"""Which records are still provisional, and when the next of them is over."""

from processors.output.segment import Key
from processors.units import INF


class OpenRecords(dict[Key, int | None]):
    """Key → ended_at of the record."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        super().__init__()
        self._due = INF
        """None of them ends before."""

    def __setitem__(self, key: Key, ended_at: int | None) -> None:
        super().__setitem__(key, ended_at)
        if ended_at is not None and ended_at < self._due:
            self._due = ended_at

    def overdue(self, watermark: int) -> list[Key]:
        """Those whose end the watermark has passed, in order of begin and kind."""
        if watermark < self._due:
            return []  # the usual case
        due = [key for key, end in self.items() if end is not None and end <= watermark]
        if not due:
            self._due = min((end for end in self.values() if end is not None), default=INF)
        return sorted(due, key=lambda key: (key[1], key[0]))
