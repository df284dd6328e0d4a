"""How many quarantined records are open: counted now, or again and again for the metrics."""

import threading
import time
from collections import Counter
from collections.abc import Iterable

import structlog
from confluent_kafka import KafkaException
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from topology.model.plant import Plant
from uns.dlq.shelf import Shelf
from uns.runtime.settings import Settings

log = structlog.get_logger()
EVERY_S = 60.0
SHARE = 20.0
"""A count rests so many times as long as it took: a quarantine of millions is not read all the time."""


def count_open(settings: Settings, plant: Plant) -> Counter[tuple[str, str]]:
    """(Who has put it there, reason) → open records. Raises as `Shelf` does."""
    shelf = Shelf(settings, plant)
    decided = shelf.decisions().keys()
    return Counter(
        (item.why.connector or "", item.why.reason or "unknown") for item in shelf.items() if item.id not in decided
    )


class OpenRecords(Collector):
    """`uns_quarantine_open`, of one process an enterprise. `start` counts in a thread of its own."""

    def __init__(self, settings: Settings, plant: Plant) -> None:
        self._settings, self._plant = settings, plant
        self._counts: dict[tuple[str, str], int] = {}
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="quarantine", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def count(self) -> None:
        """Raises as `Shelf` does."""
        counts = count_open(self._settings, self._plant)
        self._counts = dict.fromkeys(self._counts, 0) | dict(counts)

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self.count()
            except (KafkaException, TimeoutError) as error:
                log.debug("quarantine not counted", error=str(error))
            self._stop.wait(max(EVERY_S, SHARE * (time.monotonic() - begun)))

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "uns_quarantine_open",
            "Quarantined records that nobody has decided of, by who has put them there",
            labels=("source", "reason"),
        )
        for (source, reason), count in self._counts.items():
            family.add_metric((source, reason), count)
        yield family
