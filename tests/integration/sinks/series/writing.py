"""Records for series, what they must come to, and a runner in small: what is to be written again is."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.records import Downtime, Sample, Samples, Value
from sinks.base import Deferred, Delivery, Retryable, Sink, Unwritten
from tests.integration.sinks.series.targets import Held, Subject
from topology.namespace.classes import MessageClass
from uns.model.components import sink_spec
from uns.testing.sinks import downtime

PATHS = [f"acme/dallas/packaging/line-{line}/filler" for line in (1, 2, 3)]
T = 1_795_000_000_000_000
Record = Samples | Downtime


def build(subject: Subject, folder: Path, **more: Any) -> Sink:
    spec = sink_spec(subject.kind)
    return spec.build("series", spec.config.model_validate({**subject.config, **more}), folder)


def deliveries(records: Sequence[tuple[str, Record]], first: int = 0) -> list[Delivery]:
    return [
        Delivery(
            "t",
            0,
            first + n,
            path,
            MessageClass.RAW if isinstance(record, Samples) else MessageClass.DOWNTIME,
            record,
            T,
        )
        for n, (path, record) in enumerate(records)
    ]


def some(count: int, chance: random.Random) -> list[tuple[str, Record]]:
    """Samples of tags of one type each, some at a time that was there before; stops, and their revisions."""
    records: list[tuple[str, Record]] = []
    revisions: dict[int, int] = {}
    for n in range(count):
        path = chance.choice(PATHS)
        if n % 4 == 3:
            number = chance.randrange(count // 8 + 1)
            revision = revisions[number] = revisions.get(number, -1) + 1
            records.append((PATHS[0], downtime(number, revision, f"reason {n}", PATHS[0])))
            continue
        at = T + chance.randrange(count) * 1_000
        values: list[tuple[str, Value]] = [("Good", n), ("Speed", n / 7), ("Name", f"n {n} ü"), ("On", n % 2 == 0)]
        found = tuple(Sample(tag, at, value, 0 if n % 5 else 0x40000000) for tag, value in values)
        records.append((path, Samples("plc", n + 1, found)))
    return records


def expected(kind: str, records: Sequence[tuple[str, Record]]) -> Held:
    """The rule of the READMEs in other words: the later in the log stays."""
    held: Held = {}
    for path, record in records:
        if isinstance(record, Downtime):
            held[path, "downtime", record.started_at] = {"reason": record.reason, "revision": record.revision}
            continue
        for one in record.samples:
            its = {bool: "boolean", int: "integer", float: "number", str: "text"}[type(one.value)]
            value: Any = (its, one.value, one.quality)
            if kind == "pi":
                value = int(one.value) if isinstance(one.value, bool) else one.value
            held[path, one.tag, one.at] = value
    return held


def settle(sink: Sink, waiting: list[Delivery], batch: int = 20, tries_max: int = 2_000) -> list[Unwritten]:
    """As the runner does: batches in order; what waits is brought again, before what comes later."""

    async def go() -> list[Unwritten]:
        ended: list[Unwritten] = []
        await sink.open()
        left, tries = list(waiting), 0
        while left:
            part = left[:batch]
            tries += 1
            assert tries < tries_max
            try:
                unwritten = await sink.write(part, {})
            except Retryable:
                continue
            deferred = {id(each.delivery) for each in unwritten if isinstance(each, Deferred)}
            ended += [each for each in unwritten if not isinstance(each, Deferred)]
            left = [each for each in part if id(each) in deferred] + left[len(part) :]
        await sink.close()
        return ended

    return asyncio.run(go())
