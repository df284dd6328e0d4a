"""The PackML state machine (ISA-TR88.00.02) as tables: which state an acting state ends in, and which command leads where."""

from enum import IntEnum
from random import Random


class State(IntEnum):
    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HOLDING = 10
    HELD = 11
    UNHOLDING = 12
    SUSPENDING = 13
    UNSUSPENDING = 14
    RESETTING = 15
    COMPLETING = 16
    COMPLETE = 17


class Goal(IntEnum):
    """What a machine is meant to do; the stronger wins."""

    RUN = 0
    SUSPEND = 1
    HOLD = 2
    STOP = 3
    FINISH = 4
    """Stop because the order is done: through Complete."""
    ABORT = 5


S = State
ENDS_IN = {
    S.CLEARING: S.STOPPED,
    S.STARTING: S.EXECUTE,
    S.STOPPING: S.STOPPED,
    S.ABORTING: S.ABORTED,
    S.HOLDING: S.HELD,
    S.UNHOLDING: S.EXECUTE,
    S.SUSPENDING: S.SUSPENDED,
    S.UNSUSPENDING: S.EXECUTE,
    S.RESETTING: S.IDLE,
    S.COMPLETING: S.COMPLETE,
}
"""Acting states end by themselves."""

LASTS_S = {
    S.CLEARING: (4, 8),
    S.STARTING: (1, 3),
    S.STOPPING: (1, 3),
    S.ABORTING: (0.5, 2),
    S.HOLDING: (0.5, 1.5),
    S.UNHOLDING: (0.5, 1.5),
    S.SUSPENDING: (0.5, 1.5),
    S.UNSUSPENDING: (0.5, 1.5),
    S.RESETTING: (1, 3),
    S.COMPLETING: (1, 3),
}

_STOPPABLE = frozenset(
    {
        S.RESETTING,
        S.IDLE,
        S.STARTING,
        S.EXECUTE,
        S.HOLDING,
        S.HELD,
        S.UNHOLDING,
        S.SUSPENDING,
        S.SUSPENDED,
        S.UNSUSPENDING,
        S.COMPLETING,
        S.COMPLETE,
    }
)
_TOWARDS_EXECUTE = {
    S.ABORTED: S.CLEARING,
    S.STOPPED: S.RESETTING,
    S.COMPLETE: S.RESETTING,
    S.IDLE: S.STARTING,
    S.HELD: S.UNHOLDING,
    S.SUSPENDED: S.UNSUSPENDING,
}


def command(state: State, goal: Goal) -> State | None:
    """The state that the next command towards a goal leads to; None when none is due, or none is possible yet."""
    if goal is Goal.ABORT:
        return None if state in (S.ABORTING, S.ABORTED) else S.ABORTING
    if goal is Goal.FINISH and state is S.EXECUTE:
        return S.COMPLETING
    if goal in (Goal.STOP, Goal.FINISH):
        if state is S.ABORTED:
            return S.CLEARING
        if goal is Goal.FINISH and state is S.COMPLETING:
            return None
        return S.STOPPING if state in _STOPPABLE else None
    if (goal is Goal.HOLD and state is S.HELD) or (goal is Goal.SUSPEND and state is S.SUSPENDED):
        return None
    if state is S.EXECUTE:
        return {Goal.HOLD: S.HOLDING, Goal.SUSPEND: S.SUSPENDING}.get(goal)
    return _TOWARDS_EXECUTE.get(state)


def legal(before: State, after: State) -> bool:
    """Whether the standard knows a way in one step."""
    if ENDS_IN.get(before) is after:
        return True
    if after is S.ABORTING:
        return before not in (S.ABORTING, S.ABORTED)
    if after is S.STOPPING:
        return before in _STOPPABLE
    one_step = {(S.EXECUTE, S.HOLDING), (S.EXECUTE, S.SUSPENDING), (S.EXECUTE, S.COMPLETING), *_TOWARDS_EXECUTE.items()}
    return (before, after) in one_step


def lasts_us(state: State, chance: Random) -> int:
    """How long an acting state takes this time."""
    return int(chance.uniform(*LASTS_S[state]) * 1_000_000)
