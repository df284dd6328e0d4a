"""Answers in place of a target, in a row, and what was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sinks.base import Retryable
from sinks.kit.answer import Answer
from sinks.rest.auth.signing import Outgoing


@dataclass
class Asked:
    """`ask` gives one answer after the other; an exception is raised."""

    answers: list[Answer | Retryable]
    requests: list[tuple[Outgoing, Mapping[str, bytes]]] = field(default_factory=list)

    async def ask(self, request: Outgoing, headers: Mapping[str, bytes]) -> Answer:
        self.requests.append((request, headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Retryable):
            raise answer
        return answer


@dataclass
class Clock:
    """Seconds, as they are set."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


CHANGE = Outgoing("POST", "https://mes.example.com/api/orders?x=1", b'{"a":1}', "key-1")
READ = Outgoing("GET", "https://mes.example.com/api/orders")
OK, UNAUTHORIZED = Answer(200, {}, "{}"), Answer(401, {}, '{"error": "who"}')
