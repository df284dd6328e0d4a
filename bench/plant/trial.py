"""One trial: so many machines for so long on a fresh plant, and what came of it."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg

from bench.cluster import Machine
from bench.engines import child
from bench.plant import checks, machines, model, usage
from bench.plant.behind import BOUND_S, Behind, most
from bench.plant.plant import SERVICES, Running, Say, python, running
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.runtime.child import Child

LEAD_S = 3.0
P99_S = 1.0
GENERATOR = "generator"
WARM = 0.25
"""Of the trial: then caches are warm, and only then lag and delays count."""
DRAIN_S = 120.0


@dataclass
class Part:
    """A component over the part of the trial that counts."""

    cores: float
    """While the machines speak; what is still to do when they have ended counts, too."""
    us_sample: float
    """CPU microseconds a sample, which are milliseconds a thousand of them."""
    memory_mb: float
    """At the end, shared pages by share."""
    largest_mb: float
    """VmHWM of its largest process."""
    mb_per_1000: float
    """Memory by a thousand samples a second."""


@dataclass
class Trial:
    machines: int
    seconds: int
    samples_s: float
    """Said, a second."""
    behind_s: dict[str, float]
    """The furthest that each stage was behind, once warm."""
    delays: dict[str, dict[str, float | None]]
    """Class → number of first revisions once warm, and p50_s, p99_s, most_s from source time to visible."""
    generator_behind_s: float
    problems: list[str]
    """What the results are wrong in; what kept them from being compared."""
    parts: dict[str, Part]
    bytes: dict[str, float]
    """A sample: on the wire of MQTT (payload alone), in Kafka's log of raw and of all others, in PostgreSQL."""
    idle_cores: float
    load: float
    """Of the machine at the end, over a minute."""
    looks: list[tuple[float, Mapping[str, float]]] = field(default_factory=list)

    @property
    def p50_s(self) -> float | None:
        """Of states: what is told at once. A point of a chart waits `lateness_s` for those before it."""
        return self.delays.get(MessageClass.STATE, {}).get("p50_s")

    @property
    def p99_s(self) -> float | None:
        return self.delays.get(MessageClass.STATE, {}).get("p99_s")

    @property
    def bounded(self) -> bool:
        return bool(self.behind_s) and max(self.behind_s.values()) <= BOUND_S

    @property
    def holds(self) -> bool:
        """Bounded, in time, and true."""
        return self.bounded and self.p99_s is not None and self.p99_s <= P99_S and not self.problems

    def document(self) -> dict[str, object]:
        return asdict(self) | {"p99_s": self.p99_s, "bounded": self.bounded, "holds": self.holds}


def run(count: int, seconds: int, workers: int, tick_s: float, say: Say, give_up: bool = True) -> Trial:
    """`give_up`: once it is hopelessly behind; else it may catch up when the machines have ended, and is compared. Raises `Failed` where the plant does not come up, or a part of it ends."""
    with running(count, workers, tick_s, say) as plant:
        begin_ms = int((time.time() + LEAD_S) * 1000)
        logs = plant.services.folder / "logs"
        spoken = python("bench.plant.generator", plant.services.environ["UNS_MQTT"], begin_ms, count, seconds)
        generator = child(logs, GENERATOR, spoken)
        warm_s = seconds * WARM
        delays, delays_file = _delays(plant, logs, begin_ms + int(warm_s * 1000))
        try:
            return _measured(plant, generator, delays, delays_file, begin_ms, count, seconds, warm_s, give_up)
        finally:
            delays.kill()
            generator.kill()


def _delays(plant: Running, logs: Path, from_ms: int) -> tuple[Child, Path]:
    area, file = Place.parse(machines.AREA), logs / "delays.json"
    topics = [topic(area, name) for name in (MessageClass.STATE, MessageClass.QUALITY)]
    environ = {"UNS_BOOTSTRAP": str(plant.settings.bootstrap)}
    return child(logs, "delays", python("bench.plant.delays", from_ms, file, *topics), environ), file


def _measured(
    plant: Running, generator: Child, delays: Child, delays_file: Path, begin_ms: int, count: int, seconds: int, warm_s: float, give_up: bool
) -> Trial:  # fmt: skip
    behind = Behind(plant, begin_ms, count, seconds)
    pids = plant.pids | {GENERATOR: generator.pid}
    _sleep_until(begin_ms / 1000 + warm_s)
    machine, before, begun = Machine(), usage.cpu_s(pids), time.time()
    end_s = begin_ms / 1000 + seconds
    while time.time() < end_s and not (give_up and behind.lost):
        plant.check()
        behind.look()
        _sleep_until(min(end_s, time.time() + 1.0))
    idle, load = machine.idle_cores(), os.getloadavg()[0]
    memory = usage.memory(pids)
    problems: list[str] = []
    told: dict[str, float] = {}
    if give_up and behind.lost:
        problems.append("given up: it falls further and further behind")
    else:
        told = _drained(plant, generator, behind)
    after = usage.cpu_s(pids)
    said = (min(time.time(), end_s) - begun) * count * machines.SAMPLES_S
    used = {name: after[name] - before[name] for name in pids} | {GENERATOR: told.get("cpu_s", 0.0)}
    parts = {
        name: Part(
            cores=used[name] / said * count * machines.SAMPLES_S,
            us_sample=used[name] / said * 1e6,
            memory_mb=memory[name].now,
            largest_mb=memory[name].largest,
            mb_per_1000=memory[name].now / (count * machines.SAMPLES_S) * 1000,
        )
        for name in pids
    }
    delays.ask_to_stop()
    delays.stop(10.0)
    found = json.loads(delays_file.read_text(encoding="utf-8")) if delays_file.exists() else {}
    if not problems:
        problems = checks.historian(plant, begin_ms, count, seconds) + checks.counts(
            plant, range(count), begin_ms, count, seconds
        )
    return Trial(
        machines=count,
        seconds=seconds,
        samples_s=count * machines.SAMPLES_S,
        behind_s=most(behind.looks, warm_s, seconds),
        delays={name.rpartition(".")[2]: summed for name, summed in found.items()},
        generator_behind_s=told.get("behind_s", 0.0),
        problems=problems,
        parts=parts,
        bytes=_bytes(plant, told.get("bytes", 0.0), machines.samples(count, seconds)) if told else {},
        idle_cores=idle,
        load=load,
        looks=behind.looks,
    )


def _drained(plant: Running, generator: Child, behind: Behind) -> dict[str, float]:
    """Waits until all stages have caught up; what the generator says of itself."""
    deadline = time.monotonic() + DRAIN_S
    wanted = machines.samples(behind.count, behind.seconds)
    while time.monotonic() < deadline:
        plant.check()
        if not generator.alive and behind.published >= wanted and behind.caught_up:
            break
        time.sleep(0.2)
    lines = generator.tail(1)
    return dict(json.loads(lines[0])) if lines and lines[0].startswith("{") else {}


def _bytes(plant: Running, payload: float, samples: int) -> dict[str, float]:
    found = {"MQTT payload": payload / samples}
    if (kafka := plant.kafka_data) is not None:
        logs = [(file.parent.name, file.stat().st_size) for file in kafka.rglob("uns.*/*.log")]
        raw = sum(size for name, size in logs if ".raw-" in name)
        found |= {"Kafka raw": raw / samples, "Kafka others": (sum(size for _, size in logs) - raw) / samples}
    query = """SELECT coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname ~ '^(sample|tag|location|origin)'), 0)::bigint,
        coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'"""
    with psycopg.connect(str(plant.settings.postgres)) as connection:
        row = connection.execute(query, [model.SCHEMA]).fetchone()
    if row is not None:
        found |= {"PostgreSQL samples": row[0] / samples, "PostgreSQL records": (row[1] - row[0]) / samples}
    return found


def _sleep_until(wall_s: float) -> None:
    time.sleep(max(0.0, wall_s - time.time()))


OUTSIDE = (GENERATOR, *SERVICES.values())
"""Components that are not ours."""
