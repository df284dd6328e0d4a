"""The step on Quix Streams, in a virtual environment of its own. `python -m bench.quix_streams`.

Exactly-once; state in its RocksDB store with its changelog topic; decoding, step and encoding are ours, called from
its (de)serializers and a stateful `apply`. Checkpoints are of equal size, at most 100,000 input records, or its
default 5 s, whichever is sooner; the last one ends with the log, so that no waiting for an interval is in its figure.
Smaller ones made it slower (measured at 20,000). The other settings are its defaults, but for lz4 as all engines here.
"""

import sys
from pathlib import Path
from typing import Any

from quixstreams import Application, State, message_context  # type: ignore[import-not-found]
from quixstreams.models import Deserializer, Serializer  # type: ignore[import-not-found]

from bench.begun import mark
from bench.step import IDS, NONE, step
from schemas.codec import Codec


def main() -> None:
    """Bootstrap, input topic, output topic, group, folder, file for the begin, records in a checkpoint."""
    bootstrap, source, target, group, folder, begun, checkpoint = sys.argv[1:]
    codec = Codec(IDS)
    first = True

    class Decode(Deserializer):  # type: ignore[misc]
        def __call__(self, value: bytes, ctx: object) -> object:
            nonlocal first
            if first:
                first = False
                mark(Path(begun))
            return codec.decode(value)

    class Encode(Serializer):  # type: ignore[misc]
        def __call__(self, value: Any, ctx: object) -> bytes:
            return codec.encode(value)

    def take(record: Any, key: bytes, timestamp: int, headers: object, state: State) -> list[Any]:
        context = message_context()
        last = state.get("last")
        last, changes = step(
            NONE if last is None else (last[0], last[1]),
            record,
            key.decode(),
            context.topic,
            context.partition,
            context.offset,
        )
        state.set("last", last)
        return changes

    app = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=int(checkpoint),
        producer_extra_config={"compression.type": "lz4"},
        state_dir=folder,
        loglevel="WARNING",
    )
    raw = app.topic(source, value_deserializer=Decode(), key_deserializer="bytes")
    states = app.topic(target, value_serializer=Encode(), key_serializer="bytes")
    app.dataframe(raw).apply(take, stateful=True, metadata=True, expand=True).to_topic(states)
    app.run()


if __name__ == "__main__":
    main()
