"""Decides of quarantined records: gives them again, or drops them; the record and what was decided in one transaction.

Only what is open is decided, and who decides has fenced everybody else before it looks what is open. So a retry that is
asked for twice, or was cut off in its midst, is made once.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Delivered

from schemas.codec import Codec
from topology.model.plant import Plant
from uns.dlq.again import NotRetryable, Retry, retry
from uns.dlq.decision import Decision, encode
from uns.dlq.item import Item, Place, Selection
from uns.dlq.shelf import Shelf
from uns.errors import UserError
from uns.kafka import clients
from uns.kafka.message import RECORD_REFUSED
from uns.runtime.settings import Settings

TIMEOUT_S = 60.0
TOGETHER = 500
"""Records in a transaction."""
TOGETHER_BYTES = 8_000_000
REFUSALS_SHOWN = 20


@dataclass
class Outcome:
    """What a run has done, or would."""

    decided: Counter[str] = field(default_factory=Counter)
    """Reason in quarantine → records."""
    left: int = 0
    """Open ones that cannot be given again."""
    why_left: list[tuple[str, str]] = field(default_factory=list)
    """(id, why) of the first of them."""
    given: int = 0
    """Records written again; parts of one are given once."""
    settled: int = 0
    """Selected, and decided before."""

    def leave(self, item: Item, why: str) -> None:
        self.left += 1
        if len(self.why_left) < REFUSALS_SHOWN:
            self.why_left.append((item.id, why))


class Planned(NamedTuple):
    item: Item
    decision: Decision
    again: Retry | None
    """None: nothing is to be written for it, or its original has been given before."""


class Refused(Exception):
    """A topic refuses one of the records of a transaction; nothing of it is committed."""


class Decider:
    """For one run of a command; close it, or use it in a `with`. Raises `UserError`, and what `Shelf` raises."""

    def __init__(self, settings: Settings, plant: Plant, codec: Codec, by: str, dry_run: bool = False) -> None:
        self._plant, self._codec, self._by, self._dry_run = plant, codec, by, dry_run
        self.shelf = Shelf(settings, plant)
        if not self.shelf.ready:
            raise UserError(f"there is no topic {self.shelf.disposition}; `uns apply` creates the plant's topics")
        self._producer = None if dry_run else self._fence(settings, plant)
        # Read once nobody else can write, so what it says stays so.
        self._decided = self.shelf.decisions()
        self._given = {each.original: each.to for each in self._decided.values() if each.to is not None}

    def _fence(self, settings: Settings, plant: Plant) -> Producer:
        made = clients.producer(
            settings,
            {
                "transactional.id": f"uns-dlq-{plant.enterprise}",
                "transaction.timeout.ms": int(TIMEOUT_S * 1000),
                "message.timeout.ms": int(TIMEOUT_S * 1000),
            },
        )
        try:
            made.init_transactions(TIMEOUT_S)
        except KafkaException as error:
            raise UserError(f"no transaction can begin: {error.args[0].str()}; may this user write?") from error
        return made

    def retry(self, selection: Selection, why: str = "") -> Outcome:
        """Gives open records again. A record that cannot be is left open, and told."""
        outcome = Outcome()
        self._commit_all(self._plan_retries(selection, why, outcome), outcome)
        return outcome

    def drop(self, selection: Selection, why: str) -> Outcome:
        """Writes down that open records are never to be given again."""
        outcome = Outcome()
        decision = Decision(state="dropped", by=self._by, at=_now(), why=why)
        self._commit_all((Planned(item, decision, None) for item in self._open(selection, outcome)), outcome)
        return outcome

    def _open(self, selection: Selection, outcome: Outcome) -> Iterator[Item]:
        for item in self.shelf.items(selection):
            if item.id in self._decided:
                outcome.settled += 1
            else:
                yield item

    def _plan_retries(self, selection: Selection, why: str, outcome: Outcome) -> Iterator[Planned]:
        for item in self._open(selection, outcome):
            try:
                again = retry(item, self._plant, self._codec)
            except NotRetryable as error:
                outcome.leave(item, str(error))
                continue
            decision = Decision(state="retried", by=self._by, at=_now(), why=why, original=again.original)
            yield Planned(item, decision, again)

    def _commit_all(self, planned: Iterable[Planned], outcome: Outcome) -> None:
        part: list[Planned] = []
        size = 0
        for each in planned:
            part.append(each)
            size += len(each.item.record.value or b"")
            if len(part) >= TOGETHER or size >= TOGETHER_BYTES:
                self._commit_some(part, outcome)
                part, size = [], 0
        if part:
            self._commit_some(part, outcome)

    def _commit_some(self, part: list[Planned], outcome: Outcome) -> None:
        """In one transaction; where a topic refuses a record of it, in halves until that one stands alone."""
        if self._dry_run:
            new = {each.again.original for each in part if each.again is not None} - self._given.keys()
            self._given |= dict.fromkeys(new, ("", 0, 0))
            self._count(part, outcome, len(new))
            return
        try:
            given = self._transaction(part)
        except Refused as refused:
            if len(part) == 1:
                outcome.leave(part[0].item, str(refused))
                return
            middle = len(part) // 2
            self._commit_some(part[:middle], outcome)
            self._commit_some(part[middle:], outcome)
            return
        self._given |= given
        self._count(part, outcome, len(given))

    def _count(self, part: list[Planned], outcome: Outcome, given: int) -> None:
        outcome.decided.update(each.item.why.reason or "unknown" for each in part)
        outcome.given += given

    def _transaction(self, part: list[Planned]) -> dict[str, Place]:
        """What was given, by its original. Raises `Refused`, and `UserError` where nobody knows, or another has begun."""
        assert self._producer is not None
        try:
            self._producer.begin_transaction()
            given = self._give({each.again.original: each.again for each in part if each.again is not None})
            known = self._given | given
            for each in part:
                decision = each.decision
                if each.again is not None:
                    decision = msgspec.structs.replace(decision, to=known[each.again.original])
                self._producer.produce(self.shelf.disposition, encode(decision), each.item.id.encode(), 0)
            self._producer.commit_transaction(TIMEOUT_S)
            return given
        except Refused:
            self._producer.abort_transaction(TIMEOUT_S)
            raise
        except KafkaException as error:
            words = error.args[0].str()
            if error.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED):
                words = "another `uns dlq` has begun"
            raise UserError(
                f"{words}; what is not decided is open as before: `uns dlq list`, and run it again"
            ) from error

    def _give(self, retries: dict[str, Retry]) -> dict[str, Place]:
        assert self._producer is not None
        given: dict[str, Place] = {}
        errors: list[KafkaError] = []

        def delivered(what: str) -> Callable[[KafkaError | None, Delivered], None]:
            def said(error: KafkaError | None, message: Delivered) -> None:
                if error is not None:
                    errors.append(error)
                else:
                    given[what] = (message.topic(), message.partition(), message.offset())

            return said

        for what, again in retries.items():
            if what in self._given:
                continue
            written = again.message
            try:
                self._producer.produce(
                    written.topic,
                    written.value,
                    written.key,
                    again.partition,
                    on_delivery=delivered(what),
                    headers=list(written.headers),
                )
            except KafkaException as error:
                errors.append(error.args[0])
        self._producer.flush(TIMEOUT_S)
        if errors:
            if errors[0].code() in RECORD_REFUSED:
                raise Refused(f"its topic refuses it: {errors[0].str()}")
            raise KafkaException(errors[0])
        return given

    def close(self) -> None:
        self._producer = None

    def __enter__(self) -> "Decider":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _now() -> int:
    return time.time_ns() // 1000
