"""The clock's own records: now, written to each raw partition that this worker owns and has restored."""

from collections.abc import Collection

from confluent_kafka import KafkaError, Producer
from faust.types import TP

from schemas.codec import Codec
from schemas.records import Tick
from uns.clock import Clock
from uns.engine import metrics
from uns.engine.step import Place, cloud_event
from uns.settings import Settings

MESSAGE_TIMEOUT_S = 5.0
"""A tick that is not written soon is of no use: the next one says more."""


class Ticker:
    """A plain idempotent producer: a tick belongs to no transaction, it is an input like any other."""

    def __init__(self, settings: Settings, clock: Clock, codec: Codec, worker: str) -> None:
        self._clock, self._codec, self._worker = clock, codec, worker
        self._producer = Producer(
            settings.kafka(
                **{
                    "enable.idempotence": True,
                    "linger.ms": 0,
                    "message.timeout.ms": int(MESSAGE_TIMEOUT_S * 1000),
                    "queue.buffering.max.messages": 10_000,
                    "delivery.report.only.error": True,
                }
            )
        )

    def tick(self, owned: Collection[tuple[TP, Place]]) -> None:
        """Writes one tick to each partition; never blocks. A tick that cannot be written is counted."""
        at = self._clock()
        for tp, place in owned:
            record = Tick(at=at, worker=self._worker)
            path = str(place.area)
            try:
                self._producer.produce(
                    tp.topic,
                    self._codec.encode(record),
                    path.encode(),
                    tp.partition,
                    on_delivery=_delivered,
                    headers=[("ce_id", f"{path}#tick@{at}~{tp.partition}".encode()), *cloud_event(path, Tick)],
                )
            except BufferError:
                metrics.ticks_lost.inc()
            else:
                metrics.ticks.inc()
        self._producer.poll(0)

    def close(self) -> None:
        self._producer.purge()
        self._producer.flush(1.0)


def _delivered(error: KafkaError | None, message: object) -> None:
    if error is not None:
        metrics.ticks_lost.inc()
