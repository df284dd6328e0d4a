"""One machine: a PackML state machine with counters, measurements and a heartbeat. Pure: time comes from the caller."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from uns.demo.plant.events import SECOND, Event, Said, Truth
from uns.demo.plant.packml import ENDS_IN, Goal, State, command, lasts_us

PRODUCTION, SETUP = 1, 4
MODE_NAMES = {PRODUCTION: "production", SETUP: "setup"}
HEARTBEAT_S, MEASURE_S, ANALOG_S, BEARING_S = 10, 20, 10, 60
SCRAP_SHARE, SLOW_SHARE = 0.015, 0.01
VIBRATION, VIBRATION_FAILED, VIBRATION_AT_REST = 2.0, 7.1, 0.1
"""mm/s RMS of a new bearing, of one that fails, and of a machine at rest."""
BEARING_C, BEARING_C_PER_MM_S, BEARING_C_AT_REST, BEARING_LAG = 45.0, 4.0, 30.0, 0.2
"""Its temperature while it is new, what vibration beyond that adds, and how much of the way it goes in a minute."""


class Agenda(Protocol):
    """Where a machine puts what it will do, and what it says."""

    def at(self, when: int, action: Callable[[int], None]) -> None: ...
    def tell(self, event: Event) -> None: ...


@dataclass(frozen=True)
class Model:
    """What machines of a kind have in common."""

    cell: str
    characteristic: str
    centre: float
    sigma: float
    analog: str
    analog_centre: float
    modulus: int | None = None
    more: tuple[tuple[str, float], ...] = (("Air", 6.0),)
    """Tags that seldom change, and their first values."""
    bearing: bool = False
    """Whether it says how its main bearing does."""

    @property
    def measured(self) -> tuple[str, ...]:
        """Names of all tags that are measured."""
        bearing = ("Vibration", "BearingTemperature") if self.bearing else ()
        return (self.characteristic, self.analog, *(tag for tag, _ in self.more), *bearing)


MODELS = (
    Model("filler", "FillVolume", 500.0, 2.0, "Temperature", 21.0, modulus=65_536, bearing=True),
    Model("capper", "Torque", 2.0, 0.12, "Speed", 600.0),
    Model("labeler", "Offset", 0.0, 0.3, "Speed", 600.0),
    Model("packer", "Weight", 12.0, 0.04, "Temperature", 24.0, more=(("Air", 6.0), ("OilLevel", 20.4))),
)


@dataclass
class Machine:
    """`goal` is set by the line; the machine finds its way there by legal steps only."""

    path: str
    model: Model
    agenda: Agenda
    chance: Random
    side: Random
    """Chance of what came later, so that all else stays as it was."""
    drift_after: int | None = None
    """Number of the measurement from which on the mean drifts."""
    state: State = State.STOPPED
    mode: int = PRODUCTION
    goal: Goal = Goal.STOP
    good: int = 0
    scrap: int = 0
    reason: int = 0
    cycle_s: float = 6.0
    setup: bool = False
    """A changeover is due: the mode follows once the machine is stopped."""
    silent: bool = False
    last_said: int = 0
    scrap_share: float = SCRAP_SHARE
    wears: tuple[int, int] | None = None
    """Since when (µs) its bearing wears, and how long (µs) until it fails."""
    tool_wears: tuple[int, float] | None = None
    """Since when (µs) its tool wears, and by how many standard deviations a µs."""
    bearing_c: float = BEARING_C
    _steps: int = 0
    """Counts state changes: an action that was planned in an earlier state is void."""
    _measured: int = 0
    _beats: int = 0

    def start(self, now: int) -> None:
        """Everything it has to say, at the first moment."""
        if self.model.modulus is not None:
            self.good = self.model.modulus - 120  # rolls over in the first half hour
        self.publish_all(now)
        self._truth(now)
        self.agenda.at(now + HEARTBEAT_S * SECOND, self._beat)
        self.agenda.at(now + self.chance.randrange(ANALOG_S * SECOND), self._analog)
        self.agenda.at(now + self.chance.randrange(MEASURE_S * SECOND), self._measure)
        if self.model.bearing:
            self.agenda.at(now + self.side.randrange(BEARING_S * SECOND), self._bearing)

    def publish_all(self, now: int) -> None:
        for tag, value in (
            ("State", int(self.state)),
            ("Mode", self.mode),
            ("Good", self.good),
            ("Scrap", self.scrap),
            ("StopReason", self.reason),
            ("Heartbeat", self._beats),
            *self.model.more,
        ):
            self.say(now, tag, value)

    def aim(self, now: int, goal: Goal, reason: int = 0) -> None:
        """A new goal; `reason` is shown from now on when it is one for a stop."""
        if reason and reason != self.reason:
            self.reason = reason
            self.say(now, "StopReason", reason)
        self.goal = goal
        self._steer(now)

    def set_setup(self, now: int, setup: bool) -> None:
        self.setup = setup
        self._follow_mode(now)

    def reset_counters(self, now: int) -> None:
        self.good = self.scrap = 0
        self.say(now, "Good", 0)
        self.say(now, "Scrap", 0)

    def _steer(self, now: int) -> None:
        following = command(self.state, self.goal)
        if following is not None:
            self._enter(now, following)

    def _enter(self, now: int, state: State) -> None:
        self.state = state
        self._steps += 1
        self.say(now, "State", int(state))
        self._truth(now)
        step = self._steps
        if state in (State.RESETTING, State.EXECUTE) and self.reason:  # a reset acknowledges what stopped it
            self.reason = 0
            self.say(now, "StopReason", 0)
        if state in ENDS_IN:

            def end(then: int) -> None:
                if self._steps == step:
                    self._enter(then, ENDS_IN[state])

            self.agenda.at(now + lasts_us(state, self.chance), end)
            return
        if state is State.STOPPED:
            self._follow_mode(now)
        if state is State.EXECUTE:
            self._plan_piece(now)

        def go_on(then: int) -> None:
            if self._steps == step:
                self._steer(then)

        # A waiting state is left after a moment, never in the same instant.
        self.agenda.at(now + self.chance.randrange(SECOND // 2, 2 * SECOND), go_on)

    def _follow_mode(self, now: int) -> None:
        wanted = SETUP if self.setup and self.state is State.STOPPED else PRODUCTION
        if wanted != self.mode and self.state in (State.STOPPED, State.IDLE, State.ABORTED):
            self.mode = wanted
            self.say(now, "Mode", wanted)
            self._truth(now)

    def _plan_piece(self, now: int) -> None:
        factor = self.chance.uniform(2, 3) if self.chance.random() < SLOW_SHARE else self.chance.uniform(1.0, 1.08)
        step = self._steps

        def piece(then: int) -> None:
            if self._steps != step:
                return  # it stopped in mid-cycle
            self._count(then)
            self._plan_piece(then)

        self.agenda.at(now + int(self.cycle_s * factor * SECOND), piece)

    def _count(self, now: int) -> None:
        good = self.chance.random() >= self.scrap_share
        if good:
            self.good = self.good + 1 if self.model.modulus is None else (self.good + 1) % self.model.modulus
            self.say(now, "Good", self.good)
        else:
            self.scrap += 1
            self.say(now, "Scrap", self.scrap)
        self.agenda.tell(Truth(now, "count", {"path": self.path, "good": int(good), "scrap": int(not good)}))

    def _measure(self, now: int) -> None:
        self.agenda.at(now + MEASURE_S * SECOND, self._measure)
        if self.state is not State.EXECUTE:
            return
        self._measured += 1
        drift = 0.0
        if self.drift_after is not None and self._measured > self.drift_after:
            if self._measured == self.drift_after + 1:
                self.agenda.tell(Truth(now, "drift", {"path": self.path, "characteristic": self.model.characteristic}))
            drift = min(0.15 * (self._measured - self.drift_after), 5.0)
        if self.tool_wears is not None:
            since, per_us = self.tool_wears
            drift -= (now - since) * per_us
        noise = max(-2.8, min(2.8, self.chance.gauss(0, 1)))
        self.say(now, self.model.characteristic, round(self.model.centre + self.model.sigma * (noise + drift), 4))

    def _beat(self, now: int) -> None:
        self.agenda.at(now + HEARTBEAT_S * SECOND, self._beat)
        self.beat(now)

    def beat(self, now: int) -> None:
        self._beats += 1
        self.say(now, "Heartbeat", self._beats)

    def _analog(self, now: int) -> None:
        self.agenda.at(now + ANALOG_S * SECOND, self._analog)
        running = 1.0 if self.model.analog == "Temperature" or self.state is State.EXECUTE else 0.0
        self.say(now, self.model.analog, round(self.model.analog_centre * running * self.chance.uniform(0.99, 1.01), 3))

    def _bearing(self, now: int) -> None:
        """How the main bearing does: it wears by a power of the time that it has."""
        self.agenda.at(now + BEARING_S * SECOND, self._bearing)
        level, rest = VIBRATION, BEARING_C_AT_REST
        if self.wears is not None:
            since, lasts = self.wears
            level *= (VIBRATION_FAILED / VIBRATION) ** ((now - since) / lasts)
        if self.state is State.EXECUTE:
            rest = BEARING_C + BEARING_C_PER_MM_S * (level - VIBRATION)
        else:
            level = VIBRATION_AT_REST
        self.bearing_c += BEARING_LAG * (rest - self.bearing_c)
        self.say(now, "Vibration", round(level * self.side.lognormvariate(0.0, 0.05), 4))
        self.say(now, "BearingTemperature", round(self.bearing_c + self.side.gauss(0.0, 0.3), 2))

    def say(self, now: int, tag: str, value: Any) -> None:
        if not self.silent:
            self.last_said = now
            self.agenda.tell(Said(now, self.path, tag, value))

    def _truth(self, now: int) -> None:
        self.agenda.tell(
            Truth(now, "state", {"path": self.path, "state": self.state.name.lower(), "mode": MODE_NAMES[self.mode]})
        )
