"""What the server had no room for: it marks the first value after those that it dropped (OPC UA part 4, 7.39). Pure."""

from collections import deque
from collections.abc import Mapping

from asyncua import ua

from connectors.base import Span
from connectors.opcua.novelty import TagKey

SAID_S = 60.0
"""So long after an overflow it is a problem of the source."""
NAMED_MAX = 3
TIMES_MAX = 10_000


def overflowed(value: ua.DataValue) -> bool:
    """Whether the status code has the info bits of a data value and among them the overflow bit."""
    return value.StatusCode is not None and value.StatusCode.value & 0x0C80 == 0x0480


class Overflow:
    """Between which values of which tags some are missing, until it is taken; and how often of late."""

    def __init__(self) -> None:
        self._missed: dict[TagKey, Span] = {}
        self._times: deque[tuple[float, TagKey]] = deque(maxlen=TIMES_MAX)

    def saw(self, key: TagKey, before: int | None, at: int, now_s: float) -> None:
        """A marked value at `at` (µs). `before`: the time of the tag's last value; None: there is none."""
        self._times.append((now_s, key))
        if before is not None and before < at:
            self._missed[key] = Span(before, at).joined(self._missed.get(key))

    def take(self) -> Mapping[TagKey, Span]:
        """What is new since the last time."""
        missed, self._missed = self._missed, {}
        return missed

    def problems(self, now_s: float) -> list[str]:
        """One sentence as long as it is of late."""
        while self._times and now_s - self._times[0][0] > SAID_S:
            self._times.popleft()
        if not self._times:
            return []
        tags = list(dict.fromkeys(key for _, key in self._times))
        named = ", ".join(f"{path} {tag}" for path, tag in tags[:NAMED_MAX])
        often = f"{len(self._times)} times in the last {SAID_S:.0f} s"
        return [f"the server dropped values {often}, of {len(tags)} variables ({named}): ask for a greater queue_size"]
