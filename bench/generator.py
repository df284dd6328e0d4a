"""Samples at a constant rate, whatever becomes of them (an open loop). `python -m bench.generator`.

Each sample carries the time at which it was due, not that at which it was sent: a stall of anything, this process
included, counts as latency of every sample that was due meanwhile.
"""

import sys
import time

from confluent_kafka import Producer

from bench.step import IDS
from schemas.codec import Codec
from schemas.records import Sample, Samples

PATHS = 200


def main() -> None:
    """Bootstrap, topic, area, samples a second, how many, wall time to begin. Prints the most it was behind, in s."""
    bootstrap, topic, area = sys.argv[1:4]
    rate, count, begin_s = float(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6])
    producer = Producer(  # as connectors write
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 5,
            "delivery.report.only.error": True,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    encode = Codec(IDS).encode
    paths = [f"{area}/line-{number % 20}/cell-{number // 20}" for number in range(PATHS)]
    keys = [path.encode() for path in paths]
    sent, behind_s = 0, 0.0
    while sent < count:
        due = min(count, int((time.time() - begin_s) * rate) + 1)
        if due > sent:
            behind_s = max(behind_s, time.time() - begin_s - sent / rate)
        for number in range(sent, due):
            at = round((begin_s + number / rate) * 1e6)
            record = Samples("bench", number // PATHS + 1, (Sample("Count", at, number),))
            producer.produce(topic, encode(record), keys[number % PATHS], 0)
        sent = max(sent, due)
        producer.poll(0)
        time.sleep(max(0.0, min(0.001, begin_s + sent / rate - time.time())))
    left = producer.flush(30)
    print(f"{behind_s:.4f} {left}", flush=True)


if __name__ == "__main__":
    main()
