"""One machine: a PackML state machine with counters, measurements and a heartbeat. Pure: time comes from the caller."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from uns.demo.plant.events import SECOND, Event, Said, Truth
from uns.demo.plant.packml import ENDS_IN, Goal, State, command, lasts_us

PRODUCTION, SETUP = 1, 4
MODE_NAMES = {PRODUCTION: "production", SETUP: "setup"}
HEARTBEAT_S, MEASURE_S, ANALOG_S = 10, 20, 10
SCRAP_SHARE, SLOW_SHARE = 0.015, 0.01


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


MODELS = (
    Model("filler", "FillVolume", 500.0, 2.0, "Temperature", 21.0, modulus=65_536),
    Model("capper", "Torque", 2.0, 0.12, "Speed", 600.0),
    Model("labeler", "Offset", 0.0, 0.3, "Speed", 600.0),
    Model("packer", "Weight", 12.0, 0.04, "Temperature", 24.0),
)


@dataclass
class Machine:
    """`goal` is set by the line; the machine finds its way there by legal steps only."""

    path: str
    model: Model
    agenda: Agenda
    chance: Random
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

    def publish_all(self, now: int) -> None:
        for tag, value in (
            ("State", int(self.state)),
            ("Mode", self.mode),
            ("Good", self.good),
            ("Scrap", self.scrap),
            ("StopReason", self.reason),
            ("Heartbeat", self._beats),
        ):
            self._say(now, tag, value)

    def aim(self, now: int, goal: Goal, reason: int = 0) -> None:
        """A new goal; `reason` is shown from now on when it is one for a stop."""
        if reason and reason != self.reason:
            self.reason = reason
            self._say(now, "StopReason", reason)
        self.goal = goal
        self._steer(now)

    def set_setup(self, now: int, setup: bool) -> None:
        self.setup = setup
        self._follow_mode(now)

    def reset_counters(self, now: int) -> None:
        self.good = self.scrap = 0
        self._say(now, "Good", 0)
        self._say(now, "Scrap", 0)

    def _steer(self, now: int) -> None:
        following = command(self.state, self.goal)
        if following is not None:
            self._enter(now, following)

    def _enter(self, now: int, state: State) -> None:
        self.state = state
        self._steps += 1
        self._say(now, "State", int(state))
        self._truth(now)
        step = self._steps
        if state in (State.RESETTING, State.EXECUTE) and self.reason:  # a reset acknowledges what stopped it
            self.reason = 0
            self._say(now, "StopReason", 0)
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
            self._say(now, "Mode", wanted)
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
        good = self.chance.random() >= SCRAP_SHARE
        if good:
            self.good = self.good + 1 if self.model.modulus is None else (self.good + 1) % self.model.modulus
            self._say(now, "Good", self.good)
        else:
            self.scrap += 1
            self._say(now, "Scrap", self.scrap)
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
        noise = max(-2.8, min(2.8, self.chance.gauss(0, 1)))
        self._say(now, self.model.characteristic, round(self.model.centre + self.model.sigma * (noise + drift), 4))

    def _beat(self, now: int) -> None:
        self.agenda.at(now + HEARTBEAT_S * SECOND, self._beat)
        self.beat(now)

    def beat(self, now: int) -> None:
        self._beats += 1
        self._say(now, "Heartbeat", self._beats)

    def _analog(self, now: int) -> None:
        self.agenda.at(now + ANALOG_S * SECOND, self._analog)
        running = 1.0 if self.model.analog == "Temperature" or self.state is State.EXECUTE else 0.0
        self._say(
            now, self.model.analog, round(self.model.analog_centre * running * self.chance.uniform(0.99, 1.01), 3)
        )

    def _say(self, now: int, tag: str, value: Any) -> None:
        if not self.silent:
            self.last_said = now
            self.agenda.tell(Said(now, self.path, tag, value))

    def _truth(self, now: int) -> None:
        self.agenda.tell(
            Truth(now, "state", {"path": self.path, "state": self.state.name.lower(), "mode": MODE_NAMES[self.mode]})
        )
