"""Measured values of one characteristic that the watermark has not passed: till then their order may still change."""

import msgspec


class SavedValue(msgspec.Struct, omit_defaults=True, gc=False, rename={"value": "v", "offset": "o", "inspection": "i"}):
    """A measured value as it is saved."""

    at: int
    value: float
    offset: int
    inspection: str = ""
    """Id of the inspection; empty for a sample."""


class Measurements:
    """The set of values that wait. Of two at one time (and of one inspection) the greater counts."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, str], tuple[float, int]] = {}
        """(at, inspection id or '') → value and offset."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, at: int, inspection: str, value: float, offset: int) -> bool:
        """Keeps a value until the watermark passes it; False where a greater one is there already."""
        known = self._waiting.get((at, inspection))
        if known is not None and value <= known[0]:
            return False
        self._waiting[at, inspection] = (value, offset)
        return True

    def due(self, watermark: int) -> list[tuple[int, str, float, int]]:
        """Takes out the values up to the watermark, in order: (at, inspection, value, offset)."""
        keys = sorted(key for key in self._waiting if key[0] <= watermark)
        return [(*key, *self._waiting.pop(key)) for key in keys]

    def dump(self) -> list[SavedValue]:
        return [SavedValue(at, value, offset, name) for (at, name), (value, offset) in self._waiting.items()]

    def load(self, saved: list[SavedValue]) -> None:
        for of in saved:
            self.add(of.at, of.inspection, of.value, of.offset)
