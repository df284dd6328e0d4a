"""How far each stage of the way is behind what the machines have said, in seconds of what they say."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaException

from bench.plant import machines, model
from bench.plant.plant import Running, status
from uns.kafka import lag
from uns.runners.connector.ledger import Ledger, read_ledgers

BOUND_S = 5.0
"""A stage that is never further behind keeps up: some batches, and no queue that grows."""
TICKS = 20
"""Records of raw that are only ticks on their way."""
STAGES = ("connector", "processors", "historian", "page")

Look = Mapping[str, float]


@dataclass
class Behind:
    """Looks at a running plant, while `count` machines speak from `begin_ms` for `seconds`."""

    plant: Running
    begin_ms: int
    count: int
    seconds: int
    looks: list[tuple[float, Look]] = field(default_factory=list)
    """(seconds from the begin, stage → seconds behind)."""

    def look(self) -> Look:
        passed_s = time.time() - self.begin_ms / 1000
        said = self.count * machines.SAMPLES_S * min(max(passed_s, 0.0), self.seconds)
        page = status(self.plant.page)
        shown = page.get("plant_time_us") if page is not None else None
        found = {
            "connector": (said - self.published) / (self.count * machines.SAMPLES_S),
            "processors": self._lag(f"uns-processors-{model.ENTERPRISE}") / self.count,
            "historian": self._lag(f"uns-sink-{model.ENTERPRISE}-{model.HISTORIAN}") / self.count,
            "page": time.time() - shown / 1e6 if isinstance(shown, int) and shown else passed_s,
        }
        self.looks.append((passed_s, found))
        return found

    @property
    def published(self) -> int:
        """Samples that Kafka has."""
        try:
            return read_ledgers(self.plant.settings.state_dir).get(model.CONNECTOR, Ledger()).published
        except sqlite3.Error:
            return 0

    def _lag(self, group: str) -> int:
        """Raw records. A record holds what a machine says at one time."""
        try:
            found = lag.by_partition(self.plant.settings, group)
        except KafkaException:
            return 0
        return sum(records for (topic, _), records in found.items() if topic.endswith(".raw"))

    @property
    def caught_up(self) -> bool:
        """Whether processors and historian have read what is in raw, but for some ticks."""
        groups = (f"uns-processors-{model.ENTERPRISE}", f"uns-sink-{model.ENTERPRISE}-{model.HISTORIAN}")
        return all(self._lag(group) <= TICKS for group in groups)

    @property
    def lost(self) -> bool:
        """Whether it is hopeless: twice the bound, at two looks in a row."""
        return len(self.looks) > 1 and all(max(found.values()) > 2 * BOUND_S for _, found in self.looks[-2:])


def most(looks: Sequence[tuple[float, Look]], from_s: float, to_s: float) -> dict[str, float]:
    """The furthest that each stage was behind in a span."""
    return {stage: max((found[stage] for at, found in looks if from_s <= at <= to_s), default=0.0) for stage in STAGES}
