"""The bare loop: consume, decode one by one, step; no output, no commit, state in a dict. `python -m bench.bare_loop`.

A plain confluent-kafka consumer of one partition with librdkafka's own defaults for fetching, which prefetches in its
own thread; up to 10,000 records a call. Python's collector is set as in our worker: the comparison is of engines.
"""

import gc
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from bench.begun import mark
from bench.step import IDS, NONE, Last, step
from schemas.codec import Codec
from schemas.records import Samples
from uns.engine.service import YOUNG_MAX


def main() -> None:
    """Bootstrap, topic, offset to end before, file for the begin. Prints the wall time of the end and the changes."""
    bootstrap, topic, end, begun = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-bare",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    decode = Codec(IDS).decode
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 10, 10)
    state: dict[str, Last] = {}
    position, changed = 0, 0
    while position < end:
        messages = consumer.consume(10_000, 0.2)
        if messages and not position:
            mark(begun)
        for message in messages:
            if message.error() is not None:
                raise SystemExit(message.error().str())
            path, offset = message.key().decode(), message.offset()
            record = decode(message.value())
            if type(record) is Samples:
                state[path], changes = step(state.get(path, NONE), record, path, topic, 0, offset)
                changed += len(changes)
            position = offset + 1
    print(time.time(), time.process_time(), changed, flush=True)
    consumer.close()


if __name__ == "__main__":
    main()
