"""From source time to a derived record that a `read_committed` consumer has, as a process of its own.

`python -m bench.plant.delays FROM_MS FILE TOPIC …` reads what is new until SIGTERM, and keeps how long after their source time
records came whose source time is at or after the first, by class: a state is told at once, a point of a control chart once
`lateness_s` have passed. Only first revisions count: a later one tells of another moment. The file is one line of JSON.
"""

import json
import re
import signal
import sys
import time
from pathlib import Path

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from processors.output.identity import parse
from uns.runtime.settings import Settings

_ID = re.compile(rb"([^#\x00-\x1f]*#[^@]*@[0-9TZ.]+~[^:\x00-\x1f]+):0(?![0-9])")
POLL_S = 0.02


def main(from_ms: int, file: Path, topics: list[str]) -> None:
    config = {
        "group.id": "bench-delays",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 20,
    }
    consumer = Consumer(Settings().kafka(**config))
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    known = consumer.list_topics(timeout=10).topics
    consumer.assign([TopicPartition(name, number, OFFSET_END) for name in topics for number in known[name].partitions])
    delays_s: dict[str, list[float]] = {name: [] for name in topics}
    while not ended:
        messages = consumer.consume(2_000, POLL_S)
        now = time.time()
        for message in messages:
            if message.error() is None and (found := _ID.search(message.value() or b"")) is not None:
                _, started_at = parse(found[1].decode())
                if started_at >= from_ms * 1000:
                    delays_s[str(message.topic())].append(now - started_at / 1e6)
    consumer.close()
    file.write_text(json.dumps({name: _summed(found) for name, found in delays_s.items()}), encoding="utf-8")


def _summed(delays_s: list[float]) -> dict[str, float | None]:
    ordered = sorted(delays_s)
    shares = {name: ordered[int(len(ordered) * part)] if ordered else None for name, part in (("p50_s", 0.5), ("p99_s", 0.99))}  # fmt: skip
    return {"records": len(ordered), **shares, "most_s": ordered[-1] if ordered else None}


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
