"""A line: four machines in a row, orders with changeovers, breaks, stops, and what a stop does to the neighbours."""

from dataclasses import dataclass, field
from functools import partial
from random import Random

from uns.demo.plant.events import HOUR, MINUTE, SECOND, Fact, Truth, day_of
from uns.demo.plant.faults import Faults, Trouble
from uns.demo.plant.machine import MODELS, Agenda, Machine
from uns.demo.plant.packml import Goal, State

PRODUCTS = (("cola-033", 6.0), ("cola-050", 6.2), ("water-100", 5.8))
"""Product and its ideal cycle in seconds."""
ORDER_MIN, CHANGEOVER_MIN = (25, 34), (3, 4)
JAM, FAULT, SEIZED, NO_MATERIAL, BREAK = 101, 201, 202, 301, 901
MICRO_STOP_EVERY_MIN, MICRO_STOP_S = 22.0, (20, 110)
MATERIAL_EVERY_MIN, MATERIAL_S = 45.0, (130, 340)
BUFFER_S = 35
"""Between two machines: so long a neighbour goes on after a stop."""
SHIFTS = (("night", 22), ("early", 6), ("late", 14))
BREAK_AFTER, BREAK_LASTS = 30 * MINUTE, 5 * MINUTE
CALM_BEFORE_BREAKDOWN = 7 * MINUTE
"""No other stop begins so shortly before it: each is over by then, and the breakdown begins when the script says."""


@dataclass(frozen=True)
class Script:
    """What is not left to chance on a line, in minutes after the plant's start."""

    breakdown: tuple[str, float, float] | None = None
    """(cell, begin, minutes)"""
    drift: tuple[str, int] | None = None
    """(cell, measurement after which the mean drifts)"""
    silence: tuple[str, float, float] | None = None
    """(cell, begin, minutes)"""
    resets_in_break: str | None = None
    """Cell whose counters are reset in the break."""
    first_order_min: float | None = None
    faults: Faults = field(default_factory=Faults)


@dataclass
class Line:
    """Everything that happens on one line; schedules itself on the agenda, forever."""

    path: str
    agenda: Agenda
    chance: Random
    script: Script
    begin: int
    machines: list[Machine] = field(default_factory=list)
    _faults: dict[int, Goal] = field(default_factory=dict)
    """Machine → what its own fault makes of it."""
    _waiting: dict[int, set[int]] = field(default_factory=dict)
    """Machine → neighbours whose stop starves or blocks it."""
    _order: dict[str, object] | None = None
    _orders: int = 0
    _finishing: bool = False
    _changeover: bool = False
    _break: bool = False

    def start(self, now: int) -> None:
        for number, model in enumerate(MODELS):
            drawn = self.chance.random()
            path = f"{self.path}/{model.cell}"
            machine = Machine(path, model, self.agenda, Random(drawn), Random(f"{drawn}/side"))
            if self.script.drift and self.script.drift[0] == model.cell:
                machine.drift_after = self.script.drift[1]
            self.machines.append(machine)
            self._waiting[number] = set()
            machine.start(now)
        self._shifts(now)
        self.agenda.at(now + SECOND, self._begin_order)
        for number in range(len(self.machines)):
            self._plan_stop(now, number, MICRO_STOP_EVERY_MIN, Goal.HOLD, JAM, MICRO_STOP_S)
        self._plan_stop(now, 0, MATERIAL_EVERY_MIN, Goal.SUSPEND, NO_MATERIAL, MATERIAL_S)
        side = Random(f"{self.machines[0].side.random()}/faults")
        Trouble(self.path, self.agenda, side, self.script.faults, self.machines, self._seize).start(now)
        if self.script.breakdown:
            cell, at, minutes = self.script.breakdown
            self.agenda.at(now + int(at * MINUTE), lambda then: self._break_down(then, self._number(cell), minutes))
        if self.script.silence:
            cell, at, minutes = self.script.silence
            self.agenda.at(now + int(at * MINUTE), lambda then: self._fall_silent(then, self._number(cell), minutes))

    # -- orders ------------------------------------------------------------------------------------------------

    def _begin_order(self, now: int) -> None:
        product, ideal_s = PRODUCTS[(self._orders + len(self.path)) % len(PRODUCTS)]
        minutes = self.chance.uniform(*ORDER_MIN)
        if self._orders == 0 and self.script.first_order_min:
            minutes = self.script.first_order_min
        self._orders += 1
        site, line = self.path.split("/")[1], self.path.split("/")[3]
        self._order = {
            "id": f"{site[:3].upper()}-{line[-1]}{self._orders:03d}",
            "product": product,
            "started_at": now,
            "ended_at": None,
            "planned_quantity": int(minutes * 60 / ideal_s),
            "ideal_cycle_s": ideal_s,
        }
        self._publish_order(now)
        self._finishing = False
        for number, machine in enumerate(self.machines):
            machine.cycle_s = ideal_s
            machine.set_setup(now, False)
            if (
                machine.model.cell == "packer" and not machine.silent
            ):  # the download of an order does not reach one cut off
                machine.reset_counters(now)
            self._aim(now, number)
        self.agenda.at(now + int(minutes * MINUTE), self._end_order)

    def _end_order(self, now: int) -> None:
        assert self._order is not None
        self._order["ended_at"] = now
        self._publish_order(now)
        self._order = None
        self._finishing = True
        for number, machine in enumerate(self.machines):
            machine.set_setup(now, True)
            self._aim(now, number)
        self.agenda.at(now + int(self.chance.uniform(*CHANGEOVER_MIN) * MINUTE), self._begin_order)

    def _publish_order(self, now: int) -> None:
        assert self._order is not None
        self.agenda.tell(Fact(now, self.path, "order", dict(self._order)))
        self.agenda.tell(Truth(now, "order", {"line": self.path, **self._order}))

    # -- shifts and breaks -------------------------------------------------------------------------------------

    def _shifts(self, now: int) -> None:
        day = now - now % (24 * HOUR)
        begins = sorted(
            (day + offset * 24 * HOUR + hour * HOUR, name) for offset in (-1, 0, 1) for name, hour in SHIFTS
        )
        running = max(begin for begin, _ in begins if begin <= now)
        for begin, name in begins:
            if begin in (running, running + 8 * HOUR):
                self._publish_shift(now, begin, name)
        if now <= running + BREAK_AFTER:
            self.agenda.at(running + BREAK_AFTER, self._begin_break)
        self._next_shift(running + 8 * HOUR)

    def _next_shift(self, begin: int) -> None:
        """Publishes the shift after the next one when that begins, and makes its break."""

        def begun(then: int) -> None:
            hour = (begin // HOUR + 8) % 24
            self._publish_shift(then, begin + 8 * HOUR, next(name for name, at in SHIFTS if at == hour))
            self._next_shift(begin + 8 * HOUR)

        self.agenda.at(begin, begun)
        self.agenda.at(begin + BREAK_AFTER, self._begin_break)

    def _publish_shift(self, now: int, begin: int, name: str) -> None:
        pause = {"started_at": begin + BREAK_AFTER, "ended_at": begin + BREAK_AFTER + BREAK_LASTS}
        content = {
            "id": f"{day_of(begin)}/{name}",
            "name": name,
            "started_at": begin,
            "ended_at": begin + 8 * HOUR,
            "breaks": [pause],
        }
        self.agenda.tell(Fact(now, self.path, "shift", content))
        self.agenda.tell(Truth(now, "shift", {"line": self.path, **content}))

    def _begin_break(self, now: int) -> None:
        self._break = True
        for number in range(len(self.machines)):
            self._aim(now, number)
        if self.script.resets_in_break:
            machine = self.machines[self._number(self.script.resets_in_break)]
            self.agenda.at(now + 2 * MINUTE, machine.reset_counters)
        self.agenda.at(now + BREAK_LASTS, self._end_break)

    def _end_break(self, now: int) -> None:
        self._break = False
        for number in range(len(self.machines)):
            self._aim(now, number)

    # -- stops -------------------------------------------------------------------------------------------------

    def _plan_stop(
        self, now: int, number: int, every_min: float, goal: Goal, reason: int, lasts_s: tuple[int, int]
    ) -> None:
        def stop(then: int) -> None:
            self._plan_stop(then, number, every_min, goal, reason, lasts_s)
            running = self.machines[number].state is State.EXECUTE and number not in self._faults
            if running and not self._calm(then):
                self._stop(then, number, goal, reason, self.chance.uniform(*lasts_s))

        self.agenda.at(now + int(self.chance.expovariate(1 / every_min) * MINUTE) + SECOND, stop)

    def _calm(self, now: int) -> bool:
        if self.script.breakdown is None:
            return False
        due = self.begin + int(self.script.breakdown[1] * MINUTE)
        return due - CALM_BEFORE_BREAKDOWN <= now <= due

    def _stop(self, now: int, number: int, goal: Goal, reason: int, lasts_s: float) -> None:
        self._faults[number] = goal
        self._aim(now, number, reason)
        end = now + int(lasts_s * SECOND)
        told = {"path": self.machines[number].path, "reason": reason, "started_at": now, "ended_at": end}
        self.agenda.tell(Truth(now, "stop", told))
        others = [other for other in range(len(self.machines)) if other != number]
        for other in others:
            self.agenda.at(now + BUFFER_S * abs(other - number) * SECOND, partial(self._feel, other, number))

        def over(then: int) -> None:
            self._faults.pop(number, None)
            self._aim(then, number)
            for other in others:
                self.agenda.at(then + 2 * abs(other - number) * SECOND, partial(self._relieve, other, number))

        self.agenda.at(end, over)

    def _feel(self, other: int, number: int, now: int) -> None:
        if number in self._faults:
            self._waiting[other].add(number)
            self._aim(now, other)

    def _relieve(self, other: int, number: int, now: int) -> None:
        if number in self._waiting[other]:
            self._waiting[other].discard(number)
            self._aim(now, other)

    def _seize(self, now: int, machine: Machine, minutes: float) -> None:
        self._break_down(now, self.machines.index(machine), minutes, SEIZED)

    def _break_down(self, now: int, number: int, minutes: float, reason: int = FAULT) -> None:
        machine = self.machines[number]
        if machine.state is not State.EXECUTE or number in self._faults:
            self.agenda.at(now + 10 * SECOND, lambda then: self._break_down(then, number, minutes, reason))
            return
        self.agenda.tell(
            Truth(now, "breakdown", {"path": machine.path, "started_at": now, "ended_at": now + int(minutes * MINUTE)})
        )
        self._stop(now, number, Goal.ABORT, reason, minutes * 60)

    def _fall_silent(self, now: int, number: int, minutes: float) -> None:
        machine = self.machines[number]
        machine.silent = True
        since = machine.last_said

        def speak(then: int) -> None:
            machine.silent = False
            machine.publish_all(then)
            self.agenda.tell(Truth(then, "silence", {"path": machine.path, "started_at": since, "ended_at": then}))

        self.agenda.tell(Truth(now, "silence", {"path": machine.path, "started_at": since, "ended_at": None}))
        self.agenda.at(now + int(minutes * MINUTE), speak)

    # -- steering ----------------------------------------------------------------------------------------------

    def _aim(self, now: int, number: int, reason: int = 0) -> None:
        fault = self._faults.get(number)
        machine = self.machines[number]
        if fault is Goal.ABORT:
            machine.aim(now, fault, reason)
        elif self._break:
            machine.aim(now, Goal.STOP, BREAK)
        elif self._order is None:
            machine.aim(now, Goal.FINISH if self._finishing else Goal.STOP)
        elif fault is not None:
            machine.aim(now, fault, reason)
        elif self._waiting[number]:
            machine.aim(now, Goal.SUSPEND)
        else:
            machine.aim(now, Goal.RUN)

    def _number(self, cell: str) -> int:
        return next(number for number, model in enumerate(MODELS) if model.cell == cell)
