"""A sink killed again and again while it writes a log: `python -m tests.integration.sinks.killing`, with the job as JSON on
standard input. One process imports everything and forks one child a kill, so that fifty take seconds.

What the runner would do is done here: positions from the target, or from a file that is written after each `write`; batches
of changing size; what is rejected is noted before positions pass it.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from schemas.records import Sample, Samples
from sinks.base import Delivery, Retryable
from topology.namespace.classes import MessageClass
from uns.model.components import sink_spec
from uns.testing import delivery, downtime

TOPICS = ("uns.acme.dallas.packaging.downtime", "uns.acme.dallas.packaging.raw")
STOPS, SAMPLES = 2_000, 500
BATCH_MAX = 20
T = 1_795_000_000_000_000


def log() -> list[Delivery]:
    """Stops with their corrections, some withdrawn, and samples between; the same each time."""
    chance, told, count = random.Random(7), [], dict.fromkeys(TOPICS, 0)
    newest: dict[int, int] = {}
    for number in range(STOPS):
        again = chance.choice(list(newest)) if newest and chance.random() < 0.3 else number
        revision = newest[again] + 1 if again in newest else 0
        newest[again] = revision
        record = downtime(again, revision, chance.choice(["jam", "drive", "Füller „leer“", "a,b;c\n\"d'"]))
        if revision and chance.random() < 0.2:
            record = msgspec.structs.replace(record, ended_at=record.started_at)
        told.append(delivery(record, count[TOPICS[0]]))
        count[TOPICS[0]] += 1
        if number % (STOPS // SAMPLES) == 0:
            told.append(_samples(chance, count[TOPICS[1]]))
            count[TOPICS[1]] += 1
    return told


def _samples(chance: random.Random, offset: int) -> Delivery:
    values = (chance.random(), chance.randrange(-(2**63), 2**63), "läuft", True, None)
    found = tuple(Sample(f"tag {n}", T + offset * 1000 + n, value) for n, value in enumerate(values))
    key = "acme/dallas/packaging/line-1/filler"
    return Delivery(TOPICS[1], 1, offset, key, MessageClass.RAW, Samples("opcua", offset, found), T)


class Group:
    """The consumer group's offsets: a file, replaced after each write."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def positions(self) -> dict[tuple[str, int], int]:
        if not self._file.exists():
            return {}
        return {(topic, part): offset for topic, part, offset in json.loads(self._file.read_text())}

    def commit(self, positions: dict[tuple[str, int], int]) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps([[*place, offset] for place, offset in positions.items()]))
        new.replace(self._file)


async def deliver(
    job: dict[str, Any],
    deliveries: list[Delivery],
    chance: random.Random,
    written: Callable[[], None] = lambda: None,
    batch_max: int = 400,
) -> None:
    """From where the target or the group is to the end; `written` is called between the target's commit and the group's."""
    spec = sink_spec(job["kind"])
    sink = spec.build("killed", spec.config.model_validate(job["config"]), Path(job["folder"]))
    group = Group(Path(job["group"]))
    while True:
        try:
            await sink.open()
            break
        except Retryable:  # what was killed before still has its lock
            await asyncio.sleep(0.05)
    own = await sink.positions()
    reached = dict(group.positions() if own is None else own)
    left = [each for each in deliveries if each.offset >= reached.get((each.topic, each.partition), 0)]
    while left:
        part = left[: chance.randrange(1, batch_max)]
        reached |= {(each.topic, each.partition): each.offset + 1 for each in part}
        while True:
            try:
                assert await sink.write(part, dict(reached)) == []
                break
            except Retryable:
                await sink.open()
        written()
        group.commit(reached)
        left = left[len(part) :]
    await sink.close()


def forked(job: dict[str, Any], deliveries: list[Delivery], seed: int, hold: int | None) -> tuple[int, int]:
    """Its process, and a pipe that brings a byte after each `write`. After the `hold`th it stands still, before Kafka would
    know of it."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, read
    count = 0

    def written() -> None:
        nonlocal count
        count += 1
        os.write(write, b".")
        while count == hold:
            signal.pause()

    try:
        asyncio.run(deliver(job, deliveries, random.Random(seed), written, BATCH_MAX if seed >= 0 else 400))
    except BaseException as error:
        print(f"child {seed}: {error!r}", file=sys.stderr, flush=True)
        os._exit(3)
    os._exit(0)


def killed(job: dict[str, Any]) -> dict[str, int]:
    """How often it was killed. Then it is let run to its end. Every other one dies between the target's commit and the
    group's, the others at a random moment."""
    deliveries, chance = log(), random.Random(job["seed"])
    for number in range(job["kills"]):
        after, held = chance.randrange(1, 4), number % 2 == 0
        child, pipe = forked(job, deliveries, number, after if held else None)
        for _ in range(after):
            if not os.read(pipe, 1):
                sys.exit(f"child {number} ended before it was killed")
        if not held:
            time.sleep(chance.uniform(0.0, 0.02))  # the random moment, not a wait
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "it was done before its time"
        os.close(pipe)
    child, pipe = forked(job, deliveries, -1, None)
    while os.read(pipe, 1_000):
        pass
    _, status = os.waitpid(child, 0)
    return {"kills": job["kills"], "exit": os.waitstatus_to_exitcode(status)}


if __name__ == "__main__":
    print(json.dumps(killed(json.load(sys.stdin))))
