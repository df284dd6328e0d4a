"""Whether a record is what a replay of its raw partition says, byte for byte."""

from collections.abc import Sequence
from contextlib import closing

from processors.base import Input, Rejection
from processors.line import LineFold
from schemas.codec import Codec
from schemas.records import Derived
from topology.model.plant import Plant
from uns.engine.step import AreaTopics, Refused, Step
from uns.history.evidence import Revision, changes
from uns.history.logs import Logs
from uns.history.replay.offline import SAVE_RECORDS, Progress
from uns.kafka.log import read
from uns.runtime.settings import Settings

EQUAL = "equal, byte for byte"


def verify(
    settings: Settings, logs: Logs, codec: Codec, plant: Plant, revisions: Sequence[Revision], progress: Progress
) -> bool:
    """Folds the raw partition from its first record and notes on each revision what came of it; whether all are equal.

    `plant`: as the processors run it, under the records' definition. Raises `TimeoutError` when Kafka stops answering.
    """
    inputs = revisions[-1].published.record.inputs
    place, number = inputs.topic, inputs.partition
    low, high = logs.bounds(place, number)
    told = [revision.published.cause for revision in revisions if revision.published.cause is not None]
    end = min(high, max(told) + 1) if len(told) == len(revisions) else high
    natural = revisions[0].published.record.natural_id
    fold = LineFold(plant, place, number)
    step = Step(fold, codec, AreaTopics(place), number)
    said: dict[str, tuple[bytes, int]] = {}
    records: dict[str, Derived] = {}
    with closing(read(settings, place, number, end=end)) as log:
        for count, source in enumerate(log, start=1):
            _, path, raw = step.decode(source)
            if not isinstance(raw, Refused):
                for result in fold.step(Input(path, place, number, source.offset, raw, source.timestamp * 1000)):
                    if not isinstance(result, Rejection) and result.natural_id == natural:
                        said[result.id] = codec.encode(result), source.offset
                        records[result.id] = result
            if count % SAVE_RECORDS == 0:
                fold.changes()
                progress(source.offset - low, end - low)
    for revision in revisions:
        record = revision.published.record
        if record.id not in said:
            revision.verified = "the replay does not say it"
        elif said[record.id] == (revision.published.value, revision.published.cause or said[record.id][1]):
            revision.verified = EQUAL
            continue
        elif said[record.id][0] == revision.published.value:
            revision.verified = f"equal, but said at raw offset {said[record.id][1]}"
        else:
            differing = ", ".join(changes(record, records[record.id])) or "encoded otherwise"
            revision.verified = f"different: {differing}"
        if low > 0:
            revision.verified += f" (retention has removed raw offsets below {low}: that may be why)"
        elif revision.published.cause is None:
            revision.verified += " (published by `uns replay`, it seems: under another horizon or definition)"
    return all(revision.verified == EQUAL for revision in revisions)
