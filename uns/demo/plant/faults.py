"""What goes wrong on a line beside stops: a bearing wears, a tool wears, a lot is bad, alarms flood, a sensor chatters.

Chance of its own, so that all else on the line happens as it would without. Each fault is told to the truth log as it begins
(`due_at`: by when somebody has to have been told of it) and again as it ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from uns.demo.plant.events import HOUR, MINUTE, SECOND, Fact, Truth
from uns.demo.plant.machine import SCRAP_SHARE, Agenda, Machine

ANNOUNCED_H = 8
"""So long before it fails a wearing bearing has to be announced."""
SEIZED_MIN = 25.0
"""A failed bearing stops the machine for so long, and is new afterwards."""
LOT_MIN, LOT_BEGUN_MIN = 44, 26
"""A lot of bottles lasts so long; the first has been in use for a while as the plant starts."""
SUPPLIERS = ("Glasco", "Vetro")
BAD_SHARE = 0.12
"""Scrap of a bad lot."""
TOOL_SIGMA_H = 0.8
"""A worn tool moves the mean down by so many standard deviations an hour."""
TOOL_SEEN_SIGMA = 2.0
"""What it has moved by when somebody has to have been told."""
DIPS, DIP_EVERY_S, DIP_S, MACHINE_S = 2, 150, 60, 2
"""Dips of the compressed air in a flood; one machine after the other feels them."""
AIR_LOW, AIR_LOWEST, AIR = 4.6, 3.6, 6.0
CHATTER_EVERY_S = 8
OIL, OIL_LOW = 20.4, 19.6


@dataclass(frozen=True)
class Faults:
    """What happens on a line, in minutes after the plant's start."""

    bearing: tuple[str, float, float] | None = None
    """(cell, begin of the wear, minutes until it fails)"""
    tool: tuple[str, float, float] | None = None
    """(cell, begin of the wear, minutes until it is changed)"""
    bad_lot: int | None = None
    """Number of the lot of bottles, from 1, that is bad."""
    flood: float | None = None
    chatter: tuple[str, float, float] | None = None
    """(cell, begin, minutes)"""


@dataclass
class Trouble:
    """The faults of one line; schedules itself. `seize(now, machine, minutes)` breaks a machine down."""

    path: str
    agenda: Agenda
    chance: Random
    script: Faults
    machines: list[Machine]
    seize: Callable[[int, Machine, float], None]
    _lots: int = 0
    _lot: dict[str, object] = field(default_factory=dict)

    def start(self, now: int) -> None:
        self._next_lot(now - LOT_BEGUN_MIN * MINUTE, now)
        for told, begin in (
            (self.script.bearing, self._wear),
            (self.script.tool, self._use_tool),
            (self.script.chatter, self._chatter),
        ):
            if told is not None:
                cell, at, minutes = told
                begin(now + int(at * MINUTE), self._machine(cell), int(minutes * MINUTE))
        if self.script.flood is not None:
            self.agenda.at(now + int(self.script.flood * MINUTE), self._flood)

    # -- slow ones ---------------------------------------------------------------------------------------------

    def _wear(self, at: int, machine: Machine, lasts: int) -> None:
        fails = at + lasts
        fault = self._fault("bearing", machine.path, "Vibration", at, fails - ANNOUNCED_H * HOUR)
        fault["fails_at"] = fails

        def begin(now: int) -> None:
            machine.wears = now, lasts
            self._tell(now, fault)

        def fail(now: int) -> None:
            self._tell(now, fault | {"ended_at": now})
            self.seize(now, machine, SEIZED_MIN)
            self.agenda.at(now + int(SEIZED_MIN * MINUTE), repair)

        def repair(now: int) -> None:
            machine.wears = None

        self.agenda.at(at, begin)
        self.agenda.at(fails, fail)

    def _use_tool(self, at: int, machine: Machine, lasts: int) -> None:
        due = at + int(TOOL_SEEN_SIGMA / TOOL_SIGMA_H * HOUR)
        fault = self._fault("tool", machine.path, machine.model.characteristic, at, due)
        tool: dict[str, object] = {"id": "T-17", "material": "tool", "started_at": 0, "ended_at": None}

        def mount(now: int) -> None:
            tool["started_at"] = now
            self._publish_lot(now, machine.path, tool)

        def begin(now: int) -> None:
            machine.tool_wears = now, TOOL_SIGMA_H / HOUR
            self._tell(now, fault)

        def change(now: int) -> None:
            machine.tool_wears = None
            self._publish_lot(now, machine.path, tool | {"ended_at": now})
            tool["id"] = "T-18"
            mount(now)
            self._tell(now, fault | {"ended_at": now})

        self.agenda.at(at - MINUTE, mount)
        self.agenda.at(at, begin)
        self.agenda.at(at + lasts, change)

    # -- lots --------------------------------------------------------------------------------------------------

    def _next_lot(self, begin: int, now: int) -> None:
        filler = self.machines[0]
        if self._lot:
            self._publish_lot(now, filler.path, self._lot | {"ended_at": now})
        self._lots += 1
        bad = self._lots == self.script.bad_lot
        end = begin + LOT_MIN * MINUTE
        site, line = self.path.split("/")[1], self.path.split("/")[3]
        self._lot = {
            "id": f"B-{site[:3].upper()}{line[-1]}-{self._lots:04d}",
            "material": "bottle",
            "supplier": SUPPLIERS[1] if bad else self.chance.choice(SUPPLIERS),
            "started_at": begin,
            "ended_at": None,
        }
        self._publish_lot(now, filler.path, self._lot)
        filler.scrap_share = BAD_SHARE if bad else SCRAP_SHARE
        if bad:
            due = end - end % HOUR + HOUR + 10 * MINUTE  # the hour has closed, and been judged
            fault = self._fault("lot", filler.path, str(self._lot["id"]), begin, due)
            self._tell(now, fault)
            self.agenda.at(end, lambda then: self._tell(then, fault | {"ended_at": then}))
        self.agenda.at(end, lambda then: self._next_lot(then, then))

    def _publish_lot(self, now: int, path: str, lot: dict[str, object]) -> None:
        self.agenda.tell(Fact(now, path, "lot", dict(lot)))

    # -- alarms ------------------------------------------------------------------------------------------------

    def _flood(self, now: int) -> None:
        """The compressor trips, and trips again: every machine of the line says so, twice each time."""
        end = now + ((DIPS - 1) * DIP_EVERY_S + DIP_S) * SECOND
        fault = self._fault("flood", self.path, "Air", now, end + 10 * MINUTE)
        self._tell(now, fault)
        for dip in range(DIPS):
            for number, machine in enumerate(self.machines):
                at = now + (dip * DIP_EVERY_S + number * MACHINE_S) * SECOND
                for after_s, value in ((0, AIR_LOW), (DIP_S // 3, AIR_LOWEST), (DIP_S, AIR)):
                    self._say_at(at + after_s * SECOND, machine, "Air", value)
        self.agenda.at(end + MINUTE, lambda then: self._tell(then, fault | {"ended_at": then}))

    def _chatter(self, at: int, machine: Machine, lasts: int) -> None:
        """A level close to its limit, whose sensor moves up and down."""
        fault = self._fault("chatter", machine.path, "OilLevel", at, at + 10 * MINUTE)
        self.agenda.at(at, lambda now: self._tell(now, fault))
        for number, moment in enumerate(range(at, at + lasts, CHATTER_EVERY_S * SECOND)):
            self._say_at(moment, machine, "OilLevel", OIL if number % 2 else OIL_LOW)
        self._say_at(at + lasts, machine, "OilLevel", OIL)
        self.agenda.at(at + lasts + MINUTE, lambda now: self._tell(now, fault | {"ended_at": now}))

    # -- all ---------------------------------------------------------------------------------------------------

    def _say_at(self, at: int, machine: Machine, tag: str, value: float) -> None:
        self.agenda.at(at, lambda now: machine.say(now, tag, value))

    def _fault(self, name: str, path: str, subject: str, at: int, due: int) -> dict[str, object]:
        return {"fault": name, "path": path, "subject": subject, "started_at": at, "ended_at": None, "due_at": due}

    def _tell(self, now: int, fault: dict[str, object]) -> None:
        self.agenda.tell(Truth(now, "fault", fault))

    def _machine(self, cell: str) -> Machine:
        return next(machine for machine in self.machines if machine.model.cell == cell)
