"""A tortured plant of its own: topics as `uns apply` makes them, real workers, a load, and the judge."""

import itertools
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from confluent_kafka.admin import AdminClient

from schemas.records import TYPES
from tests.harness.area import Area
from tests.torture.load import Load, Machines, Put
from tests.torture.oracle import Verdict, judge
from tests.torture.points import Plan
from tests.torture.workers import AT_ANY_TIME, Parent, Worker
from topology.model import loader
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.path import Path as Place
from uns.engine.failure import Exit
from uns.local.kafka import Kafka
from uns.local.registry import Registry as RegistryService
from uns.model.apply import apply_plant
from uns.registry.client import RegistryClient
from uns.runtime.clock import from_spec
from uns.runtime.settings import Settings

PLANT = """\
namespace:
  enterprise: {enterprise}
  sites: {{dallas: {{areas: {{packaging: {{partitions: {partitions}, lines: {{{lines}}}}}}}}}}}
types:
  filler:
    tags:
      State: {{role: state, map: packml}}
      Mode: {{role: mode, map: {{1: production, 2: maintenance, 4: setup}}}}
      Good: {{role: good_count, modulus: 1000}}
      Scrap: {{role: scrap_count}}
      StopReason: {{role: reason}}
      Heartbeat: {{role: heartbeat}}
      FillVolume: {{role: characteristic, lsl: 490, usl: 510, baseline: 10}}
{tags}    ideal_cycle_s: 6.0
    silent_after_s: {silent_after_s}
    micro_stop_s: 120
    alarms:
      volume: {{kind: limit, tag: FillVolume, hi: 503, lo: 497, deadband: 1, on_delay_s: 2, group: filling}}
      latched: {{kind: limit, tag: FillVolume, hi: 502, latch: true, suppress_states: [stopped]}}
      fast: {{kind: rate, tag: FillVolume, per_min: 5, over_s: 30, group: filling}}
      jams: {{kind: count, states: [held, suspended], times: 3, window_s: 600}}
      stuck: {{kind: state, states: [held, stopped, aborted], longer_s: 45}}
      lost: {{kind: missing, tag: FillVolume, after_s: 90}}
      poor: {{kind: kpi, kpi: availability, below: 0.5}}
{rules}    reasons:
      101: {{name: bottle jam, category: micro}}
      201: {{name: drive fault, category: breakdown}}
shifts:
  always: {{filter: "{enterprise}/#", zone: Europe/Berlin, shifts: {{day: {{begin: "06:00", end: "06:00"}}}}}}
time: {time}
"""
TAGS = """\
      SealTemp: {role: characteristic, lsl: 170, usl: 190, baseline: 10, chart: {kind: mean_range, subgroup: {size: 3}}}
      SealPressure: {role: characteristic, usl: 5, baseline: 10, chart: {kind: ewma}}
      Vibration: {role: feature, unit: mm/s}
"""
RULES = """\
    groups:
      seal: {characteristics: [SealTemp, SealPressure], baseline: 20}
      drift: {characteristics: [SealTemp, SealPressure], chart: mewma, baseline: 20}
    conditions:
      bearing: {kind: wear, tag: Vibration, limit: 7.1, zones: [2.3, 4.5, 7.1], every_s: 10, baseline: 6, within_h: 24, lead_h: 1}
      oil: {kind: use, counts: hours, every: 0.25, work: change the oil}
    anomaly:
      shake: {kind: tag, tag: Vibration, every_s: 5, learn: 12, confirm: 1}
      seal-apart: {kind: group, tags: [SealTemp, SealPressure], every_s: 5, learn: 12, confirm: 1}
      odd: {kind: trees, tags: [SealTemp, SealPressure], every_s: 5, learn: 24, confirm: 1}
"""
"""What a type has beside, whose machines wear."""
TIME: Mapping[str, float] = {
    "tick_s": 0.1,
    "lateness_s": 10,
    "horizon_h": 2,
    "production_s": 60,
    "provisional_s": 60,
    "future_s": 3600,
}
RATE = 60.0
"""Plant time runs so much faster than ours: hours close while we look."""
PLANT_BEGIN_S = (int(time.time()) // 3600 - 22) * 3600
"""A full hour of yesterday: the load's records carry the plant's time, and Kafka takes none that is far ahead of its own. Not
a day ago: a broker that starts anew forgets producers whose last record is older (producer.id.expiration.ms), and then takes
what it is told again for new."""
SESSION_S = 6.0
"""The shortest that a broker takes."""
RESTART_S = 0.5
SAFE = frozenset({Exit.STOPPED, Exit.TRANSACTION, Exit.FENCED, Exit.CONSUMER, Exit.RESTORE})
"""Ends that a fault may bring about. Any other is a bug."""


class Services:
    """Kafka, a registry and a parent of workers for any number of rooms; what was given is used, the rest started."""

    def __init__(self, folder: Path, kafka: str | None = None, registry: str | None = None) -> None:
        self.folder = folder
        self._kafka, self._registry = kafka, registry
        self._parent: Parent | None = None
        self._started: list[Kafka | RegistryService] = []

    @property
    def kafka(self) -> str:
        if self._kafka is None:
            broker = Kafka(self.folder / "kafka")
            self._kafka = broker.start()
            self._started.append(broker)
        return self._kafka

    @property
    def registry(self) -> str:
        if self._registry is None:
            server = RegistryService(self.folder / "registry", {"UNS_BOOTSTRAP": self.kafka})
            self._registry = server.start()
            self._started.append(server)
        return self._registry

    @property
    def parent(self) -> Parent:
        if self._parent is None:
            self._parent = Parent()
        return self._parent

    def close(self) -> None:
        if self._parent is not None:
            self._parent.close()
        for service in reversed(self._started):
            service.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Room:
    """One area of a new enterprise. Leaving it ends its workers and its load."""

    services: Services
    lines: int = 4
    partitions: int = 2
    seed: int = 1
    bootstrap: str | None = None
    """None: the services' own broker."""
    registry: str | None = None
    time: Mapping[str, float] = field(default_factory=dict)
    """Overrides of the plant model's `time`."""
    engine: Mapping[str, float] = field(default_factory=dict)
    """Overrides of `UNS_ENGINE_*`, in lower case."""
    rate: float = RATE
    """Plant seconds a second."""
    poison: float = 0.02
    silent_after_s: float = 60.0
    wearing: bool = False
    """The machines have a seal and a bearing, and rules for them: every class of derived record is told."""

    def __post_init__(self) -> None:
        self.enterprise = f"acme-{secrets.token_hex(4)}"
        self.folder = self.services.folder / self.enterprise
        (self.folder / "plant").mkdir(parents=True)
        lines = ", ".join(f"line-{n}: {{cells: {{filler: filler, capper: filler}}}}" for n in range(1, self.lines + 1))
        text = PLANT.format(
            enterprise=self.enterprise,
            partitions=self.partitions,
            lines=lines,
            silent_after_s=self.silent_after_s,
            tags=TAGS if self.wearing else "",
            rules=RULES if self.wearing else "",
            time="{" + ", ".join(f"{k}: {v}" for k, v in {**TIME, **self.time}.items()) + "}",
        )
        (self.folder / "plant" / "plant.yaml").write_text(text, encoding="utf-8")
        self.bootstrap = self.bootstrap or self.services.kafka
        self.registry = self.registry or self.services.registry
        self.settings = Settings(bootstrap=self.bootstrap, registry=self.registry)
        self.model = loader.load(self.folder / "plant", {})
        apply_plant(self.model, self.settings)
        self.admin = AdminClient(self.settings.kafka(log_level=0))
        # All that is registered lies in the cache from here on: a worker in a network of its own has nothing else.
        self.codec = RegistryClient(self.registry, self.folder / "state" / "schemas").codec(TYPES.values())
        self.clock_spec = f"{time.time()},{PLANT_BEGIN_S},{self.rate}"
        self.clock = from_spec(self.clock_spec)
        classes = (MessageClass.RAW, *DERIVED, MessageClass.QUARANTINE, MessageClass.CHANGELOG)
        place = Place.parse(f"{self.enterprise}/dallas/packaging")
        self.area = Area(self.settings, place, self.partitions, f"uns-processors-{self.enterprise}", classes)
        self.machines = Machines(place, self.lines, self.partitions, self.codec, self.seed, self.poison, self.wearing)
        self.workers: list[Worker] = []
        self._lives = itertools.count(1)
        self._loads: list[Load] = []

    def environ(self, **more: str) -> dict[str, str]:
        engine = {
            "session_timeout_s": SESSION_S,
            "transaction_timeout_s": 5.0,
            "rebalance_timeout_s": 8.0,
            "commit_interval_s": 0.0,
            "group_records": 200.0,
            "fetch_records": 50.0,
        }
        variables = {name: value for name, value in os.environ.items() if not name.startswith("UNS_")}
        variables |= {
            "UNS_BOOTSTRAP": str(self.bootstrap),
            "UNS_REGISTRY": str(self.registry),
            "UNS_STATE_DIR": str(self.folder / "state"),
            "UNS_PLANT": str(self.folder / "plant"),
            "UNS_CLOCK": self.clock_spec,
            "UNS_LOG_FORMAT": "json",
        }
        variables |= {f"UNS_ENGINE_{name.upper()}": f"{value:g}" for name, value in {**engine, **self.engine}.items()}
        return variables | more

    def worker(self, slot: int = 0, plan: Plan = AT_ANY_TIME, parent: Parent | None = None, **environ: str) -> Worker:
        """Starts `uns run processors --slot SLOT`; it dies by itself where `plan` names a step."""
        worker = (parent or self.services.parent).start(
            f"worker {slot}",
            ["run", "processors", "--slot", str(slot)],
            self.environ(**environ),
            self.folder / f"worker-{slot}-{next(self._lives)}.log",
            plan,
        )
        self.workers.append(worker)
        return worker

    @contextmanager
    def supervised(self, slot: int = 0, parent: Parent | None = None, **environ: str) -> Iterator[None]:
        """A worker that is started again whenever it ends, as an orchestrator does it."""
        stop = threading.Event()

        def keep() -> None:
            while not stop.is_set():
                worker = self.worker(slot, AT_ANY_TIME, parent, **environ)
                while worker.running and not stop.is_set():
                    worker.over.wait(0.2)
                if worker.running:
                    worker.stop()
                stop.wait(RESTART_S)

        thread = threading.Thread(target=keep)
        thread.start()
        try:
            yield
        except BaseException:
            if (worker := self.latest(slot)) is not None:
                worker.send(signal.SIGUSR1)  # its log shows where it stands
                worker.over.wait(1.0)
            raise
        finally:
            stop.set()
            thread.join()

    def latest(self, slot: int) -> Worker | None:
        """The running worker of a slot."""
        newest = next((each for each in reversed(self.workers) if each.name == f"worker {slot}"), None)
        return newest if newest is not None and newest.running else None

    def load(self, rate: float = 200.0) -> Load:
        """Machines that say `rate` records a second from now on."""
        started = Load(self.settings, self.area.raw, self.clock, self.machines.next, rate).start()
        self._loads.append(started)
        return started

    def quiet_load(self) -> Load:
        """A load that says only what it is given by `put`."""
        silent = Load(self.settings, self.area.raw, self.clock, self.machines.next, 0.0)
        self._loads.append(silent)
        return silent

    def say(self, *records: Put) -> None:
        """Writes records to raw and waits until they are there."""
        load = self.quiet_load()
        for record in records:
            load.put(*record)
        load.stop()

    def drained(self, deadline_s: float = 120.0) -> None:
        """Waits until everything on the log now is folded, then stops the workers that still run."""
        self.area.passed(deadline_s)
        for worker in self.workers:
            if worker.running:
                worker.stop()
        self.area.settled()

    def judged(self) -> Verdict:
        """What became of it all; the load has ended, the workers have drained it."""
        said = sum(load.acknowledged for load in self._loads)
        verdict = judge(self.area, self.model, self.codec, said)
        verdict.differences += [fault for worker in self.workers if (fault := _fault(worker)) is not None]
        return verdict

    def exact(self, deadline_s: float = 120.0) -> Verdict:
        """Drains, stops and judges; raises AssertionError with the first difference."""
        if any(worker.running for worker in self.workers):
            self.drained(deadline_s)
        verdict = self.judged()
        verdict.assert_ok()
        assert verdict.effect + verdict.quarantined + verdict.late == verdict.records
        return verdict

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for load in self._loads:
            load.__exit__()
        for worker in self.workers:
            if worker.running:
                worker.kill()


def _fault(worker: Worker) -> str | None:
    """An end that no fault from outside explains."""
    if worker.code is None or worker.code < 0:
        return None
    away = worker.code == 1 and "does not answer" in worker.text()  # it started while the broker was gone
    if (worker.code in SAFE or away) and "ends by a bug" not in worker.text():
        return None
    return f"{worker.name} ended with {worker.code}:\n{worker.tail()}"
