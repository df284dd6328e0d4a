"""Ends what hangs: looks once per transaction timeout, and ends what hung at two looks."""

import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

import structlog
from faust.types import TP

from uns.engine import metrics
from uns.engine.config import EngineConfig
from uns.engine.hanging import Hanging, Observation, hanging
from uns.engine.transport import security
from uns.runtime.settings import Settings

if TYPE_CHECKING:
    from uns.engine.markers import Admin

log = structlog.get_logger()
ANSWER_S = 5.0


class Healer:
    """Called as often as somebody waits: looks once per transaction timeout, and ends what hung at two looks.

    It raises nothing for Kafka's sake: what it cannot see or may not end goes on standing.
    """

    def __init__(self, settings: Settings, config: EngineConfig, group: str, partitions: Iterable[TP]) -> None:
        """`partitions`: all that may be waited for. They are freed in this order: the changelogs, which decide, first."""
        self._settings, self._group, self._partitions = settings, group, list(partitions)
        self._every_s = config.transaction_timeout_s
        self._began = time.monotonic()
        self._next = self._began + self._every_s
        self._earlier: Observation | None = None
        self._said: str | None = None

    def __call__(self, waiting: Collection[TP], committed: Callable[[Hanging], bool]) -> None:
        """`committed` says of a hanging transaction whether the fold's state has it."""
        if time.monotonic() < self._next:
            return
        from kafka.errors import AuthorizationError, KafkaError  # 8 MB that hardly any worker ever needs

        from uns.engine.markers import Admin

        try:
            with Admin(
                bootstrap_servers=str(self._settings.bootstrap).split(","),
                bootstrap_timeout_ms=int(ANSWER_S * 1000),
                request_timeout_ms=int(ANSWER_S * 1000),
                **security(self._settings),
            ) as admin:
                look = admin.look(self._partitions)
                hung = hanging(self._earlier, look, self._group) if self._earlier is not None else ()
                for transaction in sorted(hung, key=lambda transaction: self._partitions.index(transaction.partition)):
                    if transaction.partition in waiting:
                        self._end(admin, transaction, committed(transaction))
                self._earlier = look
        except AuthorizationError as error:
            self._say(
                "Kafka does not let this worker end a transaction that hangs",
                error,
                "allow it ALTER on the cluster, or end it by hand: docs/guarantees.md, What is not promised",
            )
        except (KafkaError, OSError, TimeoutError) as error:
            self._say("Kafka does not say whether a transaction hangs", error, "it is asked again")
        self._next = time.monotonic() + self._every_s

    def _end(self, admin: "Admin", transaction: Hanging, commit: bool) -> None:
        admin.mark(transaction, commit)
        outcome = metrics.COMMITTED if commit else metrics.ABORTED
        metrics.hanging_transactions.labels(outcome).inc()
        log.warning(
            "ended a transaction that its coordinator had forgotten",
            topic=transaction.partition.topic,
            partition=transaction.partition.partition,
            start_offset=transaction.producer.start_offset,
            outcome=outcome,
            transactional_id=transaction.transactional_id,
            producer_id=transaction.producer.id,
            producer_epoch=transaction.producer.epoch,
            waited_s=round(time.monotonic() - self._began, 1),
        )

    def _say(self, what: str, error: Exception, do: str) -> None:
        if self._said != what:
            self._said = what
            log.error(what, error=f"{type(error).__name__}: {error}", do=do)
