"""Ten times a plant, with the work simulated: what a plant has said is recorded, and said again ten times as fast.

`python -m bench.plant.replay` runs a plant for a while and keeps its raw topics. Then one worker after another, on a fresh Kafka
each, is given the lines of one partition at ten times their pace, under a clock that runs as fast, with as many ticks a second of
the plant: what each of three workers would have to do where the plant is ten times as large. Alone, since this machine has not
the cores for three. A replay counts only if the pieces it tells are those that were made.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from confluent_kafka import Producer
from rich.console import Console

from bench.cluster import Failed
from bench.engines import child
from bench.plant import checks, machines, model, usage
from bench.plant.behind import BOUND_S
from bench.plant.plant import PROCESSORS, running
from bench.plant.plant import python as command
from schemas.records import Samples
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path as Place
from topology.namespace.topics import partition
from uns.client.connection import codec
from uns.client.subscribe import Received, Subscription
from uns.kafka import lag
from uns.runtime import telemetry
from uns.runtime.settings import Settings

TIMES, WORKERS = 10, 3
LEAD_S, SETTLE_S = 100.0, 120.0
"""Wall seconds for a plant to come up; its clock then is where the recording begins."""

Say = Callable[[str], None]


def record(count: int, seconds: int, say: Say) -> tuple[list[Received], int]:
    """What the machines said, as it stands in raw, and when the first of them spoke, in ms."""
    with running(count, 1, model.TICK_S, say, partitions=WORKERS) as plant:
        begin_ms = int((time.time() + 3.0) * 1000)
        broker = plant.services.environ["UNS_MQTT"]
        generator = child(plant.services.folder / "logs", "generator", command("bench.plant.generator", broker, begin_ms, count, seconds))  # fmt: skip
        wanted, deadline = machines.samples(count, seconds), time.monotonic() + seconds + SETTLE_S
        found: list[Received] = []
        try:
            with Subscription(
                plant.settings, codec(plant.settings), [Filter.parse("#")], [MessageClass.RAW], "beginning"
            ) as raw:
                while sum(len(one.record.samples) for one in found if isinstance(one.record, Samples)) < wanted:
                    plant.check()
                    found += [one for one in raw.poll(5_000, 1.0) if isinstance(one.record, Samples)]
                    if time.monotonic() > deadline:
                        raise Failed("the recording does not come to its end")
        finally:
            generator.kill()
    return found, begin_ms


def replay(
    recorded: Sequence[Received], worker: int, begin_ms: int, count: int, seconds: int, say: Say
) -> dict[str, object]:
    """One worker with the lines of one partition. Raises `Failed`."""
    mine = sorted((one for one in recorded if one.partition == worker), key=lambda one: one.ingested_at)
    numbers = {machines.path(number): number for number in range(count)}
    own = sorted({numbers[str(one.path)] for one in mine})
    begin_s = time.time() + LEAD_S
    clock = f"{begin_s:.6f},{begin_ms / 1000:.6f},{TIMES}"
    with running(count, 1, model.TICK_S / TIMES, say, partitions=WORKERS, whole=False, clock=clock) as plant:
        if time.time() > begin_s:
            raise Failed(f"the plant took longer than {LEAD_S:.0f} s to come up")
        producer = Producer(
            plant.settings.kafka(**{"enable.idempotence": True, "compression.type": "lz4", "linger.ms": 5})
        )
        encode = codec(plant.settings).encode
        values = [(encode(one.record), one) for one in mine if one.record is not None]
        time.sleep(max(0.0, begin_s - time.time()))
        pids, before, most = {PROCESSORS: plant.pids[PROCESSORS]}, usage.cpu_s(plant.pids), 0
        looked = time.monotonic()
        for value, one in values:
            due_s = begin_s + (one.ingested_at / 1000 - begin_ms) / 1000 / TIMES
            if (wait_s := due_s - time.time()) > 0:
                producer.poll(0)
                time.sleep(max(wait_s, 0.005))
            producer.produce(one.topic, value, str(one.path).encode(), worker, timestamp=one.ingested_at // 1000)
            if time.monotonic() - looked > 0.5:
                plant.check()
                most, looked = max(most, _lag(plant.settings)), time.monotonic()
        producer.flush(30)
        took_s, after = time.time() - begin_s, usage.cpu_s(pids)
        problems = checks.counts(plant, own, begin_ms, count, seconds)
    samples = sum(len(one.record.samples) for one in mine if isinstance(one.record, Samples))
    return {
        "partition": worker, "machines": len(own), "samples_s": samples / took_s, "wall_s": took_s,
        "cores": (after[PROCESSORS] - before[PROCESSORS]) / took_s,
        "us_sample": (after[PROCESSORS] - before[PROCESSORS]) / samples * 1e6,
        "behind_s": most / (len(mine) / took_s), "problems": problems,
    }  # fmt: skip


def _lag(settings: Settings) -> int:
    found = lag.by_partition(settings, f"uns-processors-{model.ENTERPRISE}")
    return sum(records for (topic, _), records in found.items() if topic.endswith(".raw"))


def _all(count: int, seconds: int, console: Console) -> list[dict[str, object]]:
    recorded, begin_ms = record(count, seconds, lambda line: None)
    console.print(f"recorded: {len(recorded):,} records of {count} machines in {seconds} s")
    found = []
    for worker in range(WORKERS):
        found.append(replay(recorded, worker, begin_ms, count, seconds, lambda line: None))
        console.print(found[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.plant.replay", description=__doc__)
    parser.add_argument("--machines", type=int, default=90)
    parser.add_argument("--seconds", type=int, default=240, help="of the recording")
    parser.add_argument("--json", type=Path, default=Path("build/bench-plant.json"), help="gets `replay`")
    options = parser.parse_args()
    console = Console(width=180)
    telemetry.configure_logs(Settings(log_level="critical"))
    shared = {partition(Place.parse(machines.path(number)), WORKERS) for number in range(options.machines)}
    if len(shared) < WORKERS:
        console.print(
            f"the lines of {options.machines} machines are in {len(shared)} of {WORKERS} partitions; take more machines"
        )
        return 1
    try:
        found = _all(options.machines, options.seconds, console)
    except Failed as error:
        console.print(f"no figure: {error}")
        return 1
    document = json.loads(options.json.read_text(encoding="utf-8")) if options.json.exists() else {}
    document["replay"] = {"times": TIMES, "machines": options.machines, "seconds": options.seconds, "workers": found}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return int(any(one["problems"] or float(str(one["behind_s"])) > BOUND_S for one in found))


if __name__ == "__main__":
    raise SystemExit(main())
