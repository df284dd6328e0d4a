"""How often one token may post: a bucket that fills with time."""


class Rate:
    """`per_s` requests each second on average, and as many at once (one at least)."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s, self._room, self._at_s = per_s, max(1.0, per_s), now_s

    def wait_s(self, now_s: float) -> float:
        """0: this request may go on and is counted; else how long to wait until one may."""
        self._room = min(max(1.0, self._per_s), self._room + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._room < 1:
            return (1 - self._room) / self._per_s
        self._room -= 1
        return 0.0
