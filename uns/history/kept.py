"""From when on Kafka has everything of a span of event time: what older answers must take from elsewhere."""

from collections.abc import Iterable

from uns.client.namespace import INGEST_MARGIN_US
from uns.history.logs import Logs
from uns.runtime.settings import Settings

NEVER = 1 << 62
"""Later than any event: retention has left nothing."""


def kept_from(settings: Settings, topics: Iterable[str]) -> int | None:
    """The earliest event time (µs UTC) of which these topics have all that was ever said; None: retention took nothing.

    A record comes to Kafka at most `INGEST_MARGIN_US` before its own time: what is missing was written before the oldest
    one that is kept, so all that is later than that and the margin is there. Raises `KafkaException`.
    """
    floors = []
    with Logs(settings) as logs:
        for topic in topics:
            for partition in range(logs.partitions(topic)):
                if logs.bounds(topic, partition)[0] == 0:
                    continue
                since_ms = logs.kept_since_ms(topic, partition)
                floors.append(NEVER if since_ms is None else since_ms * 1000 + INGEST_MARGIN_US)
    return max(floors, default=None)
