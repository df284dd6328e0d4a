"""What keeps a command from an answer (Kafka away, nothing there) in a user's words, one way for all commands."""

from collections.abc import Iterator
from contextlib import contextmanager

from uns.errors import UserError


@contextmanager
def failures_told(*expected: type[Exception]) -> Iterator[None]:
    """Raises `UserError` for what a user can mend: Kafka's errors, and those the command expects, whose message says it.

    Every other error is a bug and comes through.
    """
    from confluent_kafka import KafkaException

    told: tuple[type[Exception], ...] = (TimeoutError, *expected)
    try:
        yield
    except KafkaException as error:
        raise UserError(f"Kafka: {error.args[0].str()}; `uns doctor` looks closer") from error
    except told as error:
        # A LookupError's str() is a Python repr of its message.
        raise UserError(str(error.args[0]) if error.args else type(error).__name__) from error
