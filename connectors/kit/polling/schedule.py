"""Which block of a link is asked next: by its period, the unit first that has used the link least; what is silent rests. Pure."""

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

REST_MIN_S = 1.0
REST_MAX_S = 30.0
"""How long what is silent rests: twice as long each time, up to this."""
LASTING_S = (10.0, 300.0)
"""The same for what is refused and most likely will be next time."""
MEMORY_S = 10.0
"""Time in which half of what a unit has used of the link is forgotten."""


class Request(Protocol):
    """What is asked for in one go."""

    @property
    def unit(self) -> int:
        """Which of the devices behind the link is asked."""
        ...


BlockT = TypeVar("BlockT", bound=Request)


@dataclass(eq=False, slots=True)
class Unit:
    """One device behind a link. Times are seconds of a clock that only goes forward."""

    number: int
    used_s: float = 0.0
    used_until: float = 0.0
    silent: int = 0
    """Requests in a row that it left unanswered."""
    rests_until: float = -math.inf
    hushed_until: float = -math.inf
    """Until then nobody asks it for anything: an answer that is late may still come."""

    @property
    def free_at(self) -> float:
        return max(self.rests_until, self.hushed_until)

    def use(self, began: float, ended: float) -> None:
        self.used_s = self.used_at(ended) + ended - began
        self.used_until = ended

    def used_at(self, now: float) -> float:
        return self.used_s * math.exp2(-max(0.0, now - self.used_until) / MEMORY_S)


@dataclass(eq=False, slots=True)
class Turn(Generic[BlockT]):
    """One block and when it is due next."""

    block: BlockT
    period_s: float
    unit: Unit
    due: float
    stagger: float = 1.0
    """How much of a period passes before it is due for the second time: so that links do not all ask at once."""
    silent: int = 0
    refused: int = 0
    refusal: str = ""
    """Why it is not read, in words; empty while it is."""


class Schedule(Generic[BlockT]):
    """The turns of one link. `begun` counts cycles, `missed` those that were not begun before the
    next one was due."""

    def __init__(self, stagger: float = 1.0, before: "Schedule[BlockT] | None" = None) -> None:
        """`before`: the one in whose place it comes; what is known of its units goes on."""
        self.missed: int = before.missed if before else 0
        self.begun: int = before.begun if before else 0
        self._stagger = stagger
        self._turns: list[Turn[BlockT]] = []
        self._units: dict[int, Unit] = dict(before._units) if before else {}

    def __iter__(self) -> Iterator[Turn[BlockT]]:
        return iter(self._turns)

    def units(self) -> Collection[Unit]:
        return self._units.values()

    def add(self, blocks: Iterable[BlockT], period_s: float, now: float) -> None:
        """Further blocks, due from now on."""
        for block in blocks:
            unit = self._units.setdefault(block.unit, Unit(block.unit))
            self._turns.append(Turn(block, period_s, unit, now, self._stagger))

    def remove(self, turn: Turn[BlockT]) -> None:
        self._turns.remove(turn)

    def replace(self, turn: Turn[BlockT], blocks: Iterable[BlockT], now: float) -> None:
        """Other blocks in place of one, due at once and then as it was."""
        self._turns.remove(turn)
        self._turns += [Turn(block, turn.period_s, turn.unit, min(turn.due, now)) for block in blocks]

    def due_at(self) -> float:
        """When the next block is due; infinity without any."""
        return min((max(turn.due, turn.unit.free_at) for turn in self._turns), default=math.inf)

    def take(self, now: float) -> Turn[BlockT] | None:
        """The block to ask for now, if any is due: cycles of it that have gone by are counted as missed."""
        ready = [turn for turn in self._turns if turn.due <= now and turn.unit.free_at <= now]
        if not ready:
            return None
        turn = min(ready, key=lambda turn: (turn.unit.used_at(now), turn.due))
        due = max(turn.due, turn.unit.free_at)  # what its unit has rested is not missed
        late = int((now - due) / turn.period_s)
        self.missed += late
        self.begun += 1
        turn.due = due + late * turn.period_s
        return turn

    def heard(self, turn: Turn[BlockT], began: float, ended: float) -> None:
        """Something came for it, and it goes on at once."""
        turn.unit.use(began, ended)
        turn.unit.silent = turn.silent = 0

    def answered(self, turn: Turn[BlockT], began: float, ended: float) -> None:
        """Its values have come, or a refusal that says nothing of next time."""
        self.heard(turn, began, ended)
        turn.refused, turn.refusal = 0, ""
        if began >= turn.due:  # else it was asked before its time, to prove the link, and is still due then
            turn.due += turn.period_s * turn.stagger
            turn.stagger = 1.0

    def refuse(self, turn: Turn[BlockT], refusal: str, began: float, ended: float) -> None:
        """The device does not give it, and most likely will not next time: it is asked for seldom."""
        self.heard(turn, began, ended)
        turn.refused, turn.refusal = turn.refused + 1, refusal
        turn.due = ended + max(turn.period_s, _backoff(LASTING_S, turn.refused))

    def silence(self, turn: Turn[BlockT], began: float, ended: float, hush_s: float = 0.0) -> bool:
        """No answer has come. The block waits longer each time, and from the second time on the whole unit. `hush_s`: how
        long an answer may still come. True when the unit has begun to rest with this.
        """
        unit = turn.unit
        unit.use(began, ended)
        turn.silent, unit.silent = turn.silent + 1, unit.silent + 1
        begins = min(turn.period_s, REST_MIN_S)
        turn.due = ended + _backoff((begins, max(turn.period_s, REST_MAX_S)), turn.silent)
        unit.hushed_until = ended + hush_s
        if unit.silent > 1:
            unit.rests_until = ended + _backoff((REST_MIN_S, REST_MAX_S), unit.silent - 1)
        return unit.silent == 2

    def first(self) -> Turn[BlockT] | None:
        """The block to ask a link that has not answered yet: of the unit that was silent least."""
        return min(self._turns, key=lambda turn: (turn.unit.silent, turn.silent, turn.due), default=None)


def _backoff(bounds: tuple[float, float], times: int) -> float:
    return min(bounds[0] * 2.0 ** min(times - 1, 32), bounds[1])
