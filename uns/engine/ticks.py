"""The clock's own records: now, and the shifts of the calendars, written to each raw partition that this worker owns."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import islice

from confluent_kafka import KafkaError
from faust.types import TP

from schemas.codec import Codec
from schemas.records import Shift, Tick
from uns.engine import metrics
from uns.engine.step import AreaTopics
from uns.kafka import clients
from uns.kafka.message import cloud_event, identified
from uns.runtime.clock import Clock
from uns.runtime.settings import Settings

MESSAGE_TIMEOUT_S = 5.0
"""A tick that is not written soon is of no use: the next one says more."""
DAY = 86_400_000_000
SHIFTS_A_TICK = 1_000
"""Shifts told with one tick at most: a large plant's calendar does not hold up the clock."""
Shifts = Callable[[str, int, int], Iterator[tuple[str, Shift]]]
"""Raw topic, partition and now (µs) → (line, shift) to tell."""


def no_shifts(topic: str, partition: int, now: int) -> Iterator[tuple[str, Shift]]:
    """Of a plant without calendars."""
    return iter(())


class Ticker:
    """A plain idempotent producer: a tick belongs to no transaction, it is an input like any other."""

    def __init__(self, settings: Settings, clock: Clock, codec: Codec, worker: str, shifts: Shifts = no_shifts) -> None:
        self._clock, self._codec, self._worker, self._shifts = clock, codec, worker, shifts
        self._told: dict[TP, int] = {}
        """Day on which a partition's shifts were told last."""
        self._telling: dict[TP, Iterator[tuple[str, Shift]]] = {}
        self._producer = clients.producer(
            settings,
            {
                "linger.ms": 0,
                "message.timeout.ms": int(MESSAGE_TIMEOUT_S * 1000),
                "queue.buffering.max.messages": 10_000,
                "delivery.report.only.error": True,
            },
        )

    def tick(self, owned: Collection[tuple[TP, AreaTopics]]) -> None:
        """Writes one tick to each partition; never blocks. A tick that cannot be written is counted."""
        at = self._clock()
        self._tell(at, {tp for tp, _ in owned})
        for tp, topics in owned:
            record = Tick(at=at, worker=self._worker)
            path = str(topics.area)
            try:
                self._producer.produce(
                    tp.topic,
                    self._codec.encode(record),
                    path.encode(),
                    tp.partition,
                    on_delivery=_delivered,
                    headers=list(identified(f"{path}#tick@{at}~{tp.partition}", cloud_event(path, Tick))),
                )
            except BufferError:
                metrics.ticks_lost.inc()
            else:
                metrics.ticks.inc()
        self._producer.poll(0)

    def _tell(self, now: int, owned: Collection[TP]) -> None:
        """Shifts, once for a partition that is new here and then once a day. One that could not be written comes again."""
        self._told = {tp: day for tp, day in self._told.items() if tp in owned}
        self._telling = {tp: shifts for tp, shifts in self._telling.items() if tp in owned}
        for tp in owned:
            if self._told.get(tp) != now // DAY:
                self._told[tp] = now // DAY
                self._telling[tp] = self._shifts(tp.topic, tp.partition, now)
        room = SHIFTS_A_TICK
        for tp, shifts in list(self._telling.items()):
            for line, shift in islice(shifts, room):
                room -= 1
                self._producer.produce(
                    tp.topic,
                    self._codec.encode(shift),
                    line.encode(),
                    tp.partition,
                    on_delivery=partial(self._shift_delivered, tp),
                    headers=list(identified(f"{line}#shift@{shift.id}", cloud_event(line, Shift))),
                )
            if room:
                del self._telling[tp]

    def _shift_delivered(self, tp: TP, error: KafkaError | None, message: object) -> None:
        if error is not None:
            self._told.pop(tp, None)  # all of it again with the next tick: telling twice changes nothing

    def close(self) -> None:
        self._producer.purge()
        self._producer.flush(1.0)


def _delivered(error: KafkaError | None, message: object) -> None:
    if error is not None:
        metrics.ticks_lost.inc()
