"""The whole plant as one stream of events in time order, the same for the same seed, without end. Pure."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from random import Random

from uns.demo.plant.events import Event
from uns.demo.plant.faults import Faults
from uns.demo.plant.line import Line, Script

LINES = {
    "acme/dallas/packaging/line-1": Script(
        breakdown=("capper", 22, 8),
        faults=Faults(chatter=("packer", 49, 3)),
    ),
    "acme/dallas/packaging/line-2": Script(
        silence=("packer", 31, 8.95),
        faults=Faults(bad_lot=2, tool=("capper", 150, 270)),
    ),
    "acme/leipzig/packaging/line-1": Script(
        drift=("labeler", 45),
        resets_in_break="capper",
        first_order_min=52,
        faults=Faults(flood=31, bearing=("filler", 300, 960)),
    ),
}
QUIET = dict.fromkeys(LINES, Script())
"""The same lines on days on which nothing happens but orders, breaks and short stops."""


class Simulation:
    """An agenda and the lines that fill it."""

    def __init__(self, seed: int, begin: int, lines: Mapping[str, Script] = LINES) -> None:
        """`begin`: plant time (µs) of the first event. `lines`: what is not left to chance, by line."""
        self._due: list[tuple[int, int, Callable[[int], None]]] = []
        self._number = count()
        self._told: list[Event] = []
        self._begin = begin
        self.lines = [Line(path, self, Random(f"{seed}/{path}"), script, begin) for path, script in lines.items()]
        for line in self.lines:
            self.at(begin, line.start)

    def at(self, when: int, action: Callable[[int], None]) -> None:
        heapq.heappush(self._due, (when, next(self._number), action))

    def tell(self, event: Event) -> None:
        self._told.append(event)

    def events(self, until: int | None = None) -> Iterator[Event]:
        """Every event before `until`, in order of time; may be called again to go on."""
        while self._due and (until is None or self._due[0][0] < until):
            when, _, action = heapq.heappop(self._due)
            action(when)
            told, self._told = self._told, []
            yield from told

    def farewell(self, now: int) -> list[Event]:
        """Every machine's last sign of life before the plug is pulled: until here it is known what it did."""
        for line in self.lines:
            for machine in line.machines:
                machine.beat(now)
        told, self._told = self._told, []
        return told
