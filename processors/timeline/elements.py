"""What an instant counts as under one KPI definition: by plan, machine, order, and the stop that it is part of."""

from typing import NamedTuple

from processors.inputs.schedule import BUSY
from topology.kpi.definition import Decision, Definition, Planned, shipped

BREAKDOWN_STATES = frozenset({"aborting", "aborted", "clearing"})
SETUP, MAINTENANCE = "setup", "maintenance"
"""Modes in which a machine that does not run is not stopped."""
PRODUCTION, UNKNOWN = "production", "unknown"
NOT_OBSERVED = "not_observed"
"""The mode of time in which nobody listened, or nothing of the machine's state was known yet; its state is unknown."""


class Context(NamedTuple):
    """What must be known of the stop that an instant is part of."""

    category: str | None
    """Of the reason that was given for it; None: nobody and nothing gave one."""
    micro: bool
    """Whether the definition's option micro_stop holds for it."""


PLAIN = Context(None, False)


class Elements:
    """The rules of one KPI definition, with their answers remembered."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.fingerprint = definition.fingerprint
        """Of the definition; to find it takes a millisecond, and each tick saves it."""
        self.names = tuple(definition.elements)
        self._numbers = {name: n for n, name in enumerate(self.names)}
        self._indices: dict[tuple[str, str, bool, Planned, Context], int] = {}
        self._running = frozenset(definition.running)
        self.contextual = definition.options.micro_stop is not None or any(
            rule.when.reason is not None for rule in definition.time_model
        )
        """Whether the element of an instant depends on the stop it is part of."""
        self.iso22400 = definition.name == "iso22400" and definition.label in shipped()
        self.outside = tuple(n for n, part in enumerate(definition.elements.values()) if part.loss == "outside")
        """Indices of what is not in the planned time."""
        self.apt = self._numbers.get("APT", 0)
        noise = definition.options.noise_floor
        self.noise_stop_us, self.noise_run_us = round(noise.stop_s * 1_000_000), round(noise.run_s * 1_000_000)
        self.margin_us = self.noise_stop_us + self.noise_run_us + 1 if self.noise_stop_us or self.noise_run_us else 0
        """How far around an instant the noise floor looks."""
        self.not_observed = self.index(UNKNOWN, NOT_OBSERVED, False, BUSY)
        """Index of the element of time that nobody saw."""
        self.observes = definition.options.not_observed == "outside"
        """Whether such time is outside, and so what was made in it cannot be held against the time that was seen."""

    def name(self, state: str, mode: str, order: bool) -> str:
        """The element of planned busy time, whatever stop it is part of."""
        return self.names[self.index(state, mode, order, BUSY)]

    def index(self, state: str, mode: str, order: bool, status: Planned, context: Context = PLAIN) -> int:
        """Index into `names`; `status` as in processors.inputs.schedule."""
        key = (state, mode, order, status, context)
        number = self._indices.get(key)
        if number is None:
            decision = self.decision(state, mode, order, status, context)
            number = self._indices[key] = self._numbers[decision.element]
        return number

    def decision(self, state: str, mode: str, order: bool, status: Planned, context: Context = PLAIN) -> Decision:
        """What time counts as, and what decided it."""
        if state == UNKNOWN and mode == NOT_OBSERVED:
            return self.definition.blind(order, status)
        return self.definition.rule(state, mode, order, status, context.category, context.micro)

    def runs(self, state: str, mode: str) -> bool:
        """Whether the machine produces."""
        return state in self._running and mode == PRODUCTION

    def halts(self, state: str, mode: str) -> bool:
        """Whether the machine is known not to produce, and is neither set up nor maintained."""
        return state != UNKNOWN and mode not in (SETUP, MAINTENANCE) and not self.runs(state, mode)

    def stops(self, state: str, mode: str, order: bool, status: str) -> bool:
        """Whether this is part of a stop: in planned busy time, with an order or broken down."""
        return status == BUSY and self.halts(state, mode) and (order or state in BREAKDOWN_STATES)

    def micro(self, reason: bool) -> bool:
        """Whether time in a micro stop, with or without a reason, counts by the option micro_stop."""
        micro = self.definition.options.micro_stop
        return micro is not None and not (reason and micro.only_without_reason)

    def short(self, length_us: int, below_s: float) -> bool:
        """Whether a stop is short: by the definition's option micro_stop, without it below `below_s`."""
        micro = self.definition.options.micro_stop
        if micro is None:
            return length_us < below_s * 1_000_000
        below_us = round(micro.below_s * 1_000_000)
        return length_us <= below_us if micro.inclusive else length_us < below_us
