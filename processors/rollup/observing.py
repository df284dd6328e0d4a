"""How much of a whole's time was observed: that of all its machines that tell a state, heard of in the window or not."""

from collections.abc import Mapping, Sequence

from processors.rollup.parts import Part
from processors.rollup.places import Key, Zones
from processors.rollup.work_center import WorkCenter
from topology.namespace.path import Path


class Observable:
    """The machines below every place."""

    def __init__(self, centers: Mapping[str, WorkCenter], zones: Mapping[Path, Zones]) -> None:
        self._machines: dict[str, dict[str, int]] = {}
        """Place → path of each of its parts → how many machines of that can be observed."""
        for line, center in centers.items():
            self._machines[line] = dict.fromkeys(center.observable, 1)
        for path in sorted(zones, key=lambda place: -place.level):  # a part before what it is part of
            if path.parent is not None:
                below = sum(self._machines[str(path)].values())
                self._machines.setdefault(str(path.parent), {})[str(path)] = below
        self._zones = {str(path): of for path, of in zones.items()}

    def of(self, place: str, key: Key, standing: Sequence[Part]) -> tuple[int | None, int]:
        """(observed_us, elapsed_us) of a window whose parts stand. None: a part was written by a release that did not
        count it. A part without a record was not seen; but not every machine need have an order or a product."""
        machines = self._machines[place]
        observed_us: int | None = 0
        elapsed_us = longest_us = 0
        for part in standing:
            known = part.observed_us
            observed_us = None if observed_us is None or known is None else observed_us + known
            part_us = sum(part.element_us.values()) if part.elapsed_us is None else part.elapsed_us
            elapsed_us += part_us
            longest_us = max(longest_us, part_us // max(machines.get(part.path, 1), 1))
        if key.window not in ("order", "product"):
            there = {part.path for part in standing}
            over = all(part.ended_at is not None for part in standing)
            for path in machines.keys() - there:
                elapsed_us += machines[path] * self._gone_by(path, key, longest_us, over)
        return observed_us, elapsed_us

    def _gone_by(self, path: str, key: Key, longest_us: int, over: bool) -> int:
        """How much of the window is past for a place without a record: a day of its own may be longer or shorter."""
        if key.window != "day" or path not in self._zones:
            return longest_us
        start, end = self._zones[path].day(key.when)
        return end - start if over else min(end - start, longest_us)
