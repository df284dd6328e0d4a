"""Who tells a random history: knows what the machines show, and when what is told would have been."""

import random
from typing import NamedTuple

from schemas.records import Alert, Order, Raw, Shift
from tests.harness.line_logs import AREA, HOUR, MINUTE, T0, S
from topology.model.plant import Plant


class Move(NamedTuple):
    """What happens next: a record of this kind, so long after the one before."""

    kind: str
    step_us: int
    place: int
    dice: int


class Teller:
    """Says what moves say: knows what the machines show, and which alerts there have been."""

    def __init__(self, model: Plant) -> None:
        self.cells = {str(path): equipment for path, equipment in model.cells().items()}
        self.paths = sorted(self.cells)
        self.lines = sorted({path.rpartition("/")[0] for path in self.paths})
        self.horizon = round(model.time.horizon_h * HOUR)
        self.now = T0
        self.counts: dict[tuple[str, str], int] = {}
        self.alerts: list[Alert] = []

    def first(self) -> list[tuple[str, Raw]]:
        """What is told before everything else."""
        return []

    def cell(self, move: Move) -> str:
        return self.paths[move.place % len(self.paths)]

    def anywhere(self, move: Move, chance: random.Random) -> str:
        """A line or a cell; now and then a place that is not there."""
        if chance.random() < 0.03:
            return f"{AREA}/line-1/nowhere"
        return chance.choice(self.lines) if chance.random() < 0.6 else self.cell(move)

    def when(self, chance: random.Random) -> int:
        """A time around now: punctual, late, at an edge, or outside of what is believed."""
        back = chance.choice(
            [0, 0, 0, S, 20 * S, 5 * MINUTE, 50 * MINUTE, self.horizon - MINUTE, self.horizon, 5 * HOUR]
        )
        at = self.now - back + chance.choice([0, 0, chance.randrange(S), MINUTE])
        if chance.random() < 0.15:
            at = at // HOUR * HOUR + chance.choice([0, 0, 1, -1])
        return at

    def span(self, chance: random.Random) -> tuple[int, int]:
        """A stretch of time; empty where it is taken back."""
        start = self.when(chance) + chance.choice([0, 0, 0, -10 * HOUR, -HOUR, HOUR])
        return start, start + chance.choice([0, MINUTE, 20 * MINUTE, HOUR, 2 * HOUR, 8 * HOUR, 30 * HOUR])


class Punctual(Teller):
    """A plant of which nothing is told later than within an hour: no fold has forgotten what it would have to know."""

    def __init__(self, model: Plant) -> None:
        super().__init__(model)
        self.horizon = 40 * MINUTE

    def first(self) -> list[tuple[str, Raw]]:
        """The first order and the first shift change the meaning of all time: they come before everything."""
        order = Order(id="first", product="z", started_at=T0 - HOUR, ended_at=T0 - HOUR + 1)
        shift = Shift(id="first", name="first", started_at=T0 - HOUR, ended_at=T0 + 60 * HOUR)
        return [(line, record) for line in self.lines for record in (order, shift)]

    def when(self, chance: random.Random) -> int:
        return (
            self.now - chance.choice([0, 0, 0, S, 20 * S, 5 * MINUTE, 20 * MINUTE]) + chance.choice([0, 0, 7, S // 3])
        )

    def span(self, chance: random.Random) -> tuple[int, int]:
        start = self.when(chance)
        return start, start + chance.choice([0, MINUTE, 20 * MINUTE, HOUR, 2 * HOUR, 8 * HOUR, 30 * HOUR])
