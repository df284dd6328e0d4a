"""Why a worker ends: crash-only, each cause with its own exit code, so that a supervisor's log says what happened."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `uns run processors`. All but STOPPED are safe to restart: the last commit stands."""

    STOPPED = 0
    FOLD = 70  # a fold raised: a bug, the record is named in the log
    TRANSACTION = 71  # the outcome of a transaction is unknown or an output was refused
    FENCED = 72  # another process took this slot's transactional.id
    RESTORE = 73  # the changelog could not be read in time
    TRUNCATED = 74  # the raw log ends before the fence: the topic was recreated or lost its tail
    REGISTRY = 75  # a schema id is unknown and the registry stays away
    CONSUMER = 76  # Faust or its consumer ended, or no assignment came back
    LOST_BATCH = 77  # a fetched batch never reached the fold


class Fatal(Exception):
    """Ends the process. The message is one line for an operator: what, where, what to do."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


class Fenced(Exception):
    """The group has moved on: the transaction was aborted cleanly, the partitions are another worker's."""
