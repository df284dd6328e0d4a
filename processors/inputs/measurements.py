"""Measured values of one characteristic that the watermark has not passed: till then their order may still change."""

import msgspec

from processors.inputs.rank import source_of


class SavedValue(msgspec.Struct, omit_defaults=True, gc=False, rename={"value": "v", "offset": "o", "inspection": "i"}):
    """A measured value as it is saved."""

    at: int
    value: float
    offset: int
    inspection: str = ""
    """Id of the inspection; empty for a sample."""
    rank: int = 0
    size: float = 0.0
    """Items or area that a count tells of; 0: nothing was said."""


class Measurements:
    """The set of values that wait. Of the samples of one time the source's last counts (`inputs.rank`), of two sources' the
    greater; of one inspection what the log says last."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, str], list[tuple[float, int, int, float]]] = {}
        """(at, inspection id or '') → value, offset, rank and size of each source's last."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, at: int, inspection: str, value: float, offset: int, rank: int = 0, size: float = 0.0) -> bool:
        """Keeps a value until the watermark passes it; False where it does not count beside what is there already."""
        told = self._waiting.setdefault((at, inspection), [])
        if inspection:
            if told and offset <= told[0][1]:
                return False
            told[:] = [(value, offset, rank, size)]
            return True
        for n, (known, _, known_rank, _) in enumerate(told):
            if source_of(known_rank) == source_of(rank):
                if (rank, value) <= (known_rank, known):
                    return False
                told[n] = (value, offset, rank, size)
                return True
        told.append((value, offset, rank, size))
        return True

    def replace(self, inspection: str, offset: int) -> bool:
        """Forgets what the log said of an inspection before `offset`; False where it has said something since."""
        waiting = [(key, told[0][1]) for key, told in self._waiting.items() if key[1] == inspection]
        for key, known in waiting:
            if known < offset:
                del self._waiting[key]
        return all(known <= offset for _, known in waiting)

    def due(self, watermark: int) -> list[tuple[int, str, float, int, int, float]]:
        """Takes out the values up to the watermark, in order: (at, inspection, value, offset, rank, size)."""
        keys = sorted([key for key in self._waiting if key[0] <= watermark])
        return [(*key, *max(self._waiting.pop(key))) for key in keys]

    def dump(self) -> list[SavedValue]:
        return [
            SavedValue(at, value, offset, name, rank, size)
            for (at, name), told in self._waiting.items()
            for value, offset, rank, size in told
        ]

    def load(self, saved: list[SavedValue]) -> None:
        for of in saved:
            self.add(of.at, of.inspection, of.value, of.offset, of.rank, of.size)
