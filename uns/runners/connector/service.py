"""A connector's process: everything put together, metrics, health, signals."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog
from prometheus_client import REGISTRY, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.records import FACT_TYPES, Samples
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.topics import topic
from uns.client.connection import codec
from uns.errors import ServiceError, UserError
from uns.model.components import connector_spec
from uns.runners.connector.freshness import Freshness
from uns.runners.connector.ledger import DROPPED, FOLDER, PUBLISHED, QUARANTINED, READ, SUPPRESSED, Ledger
from uns.runners.connector.outlet import REFUSED_BY_TOPIC, Outlet, OutletBroken
from uns.runners.connector.packing import BAD_FACT, BAD_VALUE, UNKNOWN_PATH, Packer
from uns.runners.connector.reloading import Reloading
from uns.runners.connector.runner import ConnectorRunner
from uns.runners.connector.shaping import REASONS
from uns.runners.connector.source import Setup, Source
from uns.runners.connector.spool import SPOOL_FULL, Spool, SpoolError
from uns.runners.connector.standing import Standing
from uns.runtime import clock, telemetry, wish
from uns.runtime.settings import Settings

log = structlog.get_logger()

HANGS_S = 10.0
"""A loop that has not turned for so long hangs."""
_PUBLISH = Histogram("uns_connector_publish_seconds", "From the client to Kafka's confirmation", ["connector"])


def serve(settings: Settings, folder: Path, plant: Plant, name: str) -> None:
    """Runs a connector of the plant model until SIGTERM. `folder`: where the model is, for when it changes. Raises
    `UserError` for what a user can mend."""
    telemetry.configure_logs(settings)
    records = codec(settings, (Samples, *FACT_TYPES))
    try:
        spool = Spool(settings.state_dir / FOLDER / name, plant.connectors[name].spool.max_mb * 1_000_000)
    except ServiceError as error:
        raise UserError(
            f"connector {name} runs already; two at once would take the source from each other. {error}"
        ) from error
    except SpoolError as error:
        raise UserError(str(error)) from error

    def setup(model: Plant) -> Setup:
        entry = model.connectors[name]
        spec = connector_spec(entry.protocol)
        config = spec.config.model_validate(entry.config)
        return Setup(
            entry,
            lambda: spec.build(name, config),
            Packer(name, model, records, entry, spool.next_sequence),
            Freshness(entry, model, spec.every_s(config), spec.paths(config)),
        )

    runner = ConnectorRunner(name, setup(plant), spool, clock.from_spec(settings.clock))
    try:
        anew = asyncio.run(_run(settings, plant, runner, Reloading(folder, plant, runner, setup)))
    except (SpoolError, OutletBroken) as error:
        raise UserError(f"connector {name}: {error}") from error
    if anew:
        wish.begin_anew()


async def _run(settings: Settings, plant: Plant, runner: ConnectorRunner, reloading: Reloading) -> bool:
    """Whether it is to begin anew."""
    loop = asyncio.get_running_loop()
    anew = asyncio.Event()
    turned = [time.monotonic()]

    async def turn() -> None:
        while True:
            turned[0] = time.monotonic()
            await asyncio.sleep(1)

    def wake() -> None:
        loop.call_soon_threadsafe(runner.wake)

    def alive() -> bool:
        return time.monotonic() - turned[0] < HANGS_S

    runner.attach(Outlet(settings, runner.spool, wake, runner.split, _PUBLISH.labels(runner.name).observe))
    REGISTRY.register(ConnectorMetrics(runner))
    standing = Standing(settings, topic(plant.enterprise, MessageClass.LEASE), runner, alive)
    telemetry.serve(
        settings.bind,
        settings.metrics_port,
        live=lambda: () if alive() else (f"the loop has not turned for {HANGS_S:.0f} s",),
        ready=runner.problems,
        about=lambda: {"source": msgspec.to_builtins(runner.source.health())},
    )

    def pause(paused: bool) -> None:
        runner.source.pause(wish.PAUSED if paused else None)

    def again() -> None:
        anew.set()
        task.cancel()

    own = settings.state_dir / FOLDER / runner.name
    pause(wish.read(own).paused)
    task = asyncio.create_task(runner.run())
    beside = [
        asyncio.create_task(one) for one in (turn(), reloading.run(), standing.run(), wish.obeyed(own, pause, again))
    ]
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    loop.add_signal_handler(signal.SIGHUP, reloading.ask)
    try:
        await task
    except asyncio.CancelledError:
        log.debug("stopped", connector=runner.name)
    finally:
        for one in beside:
            one.cancel()
        await asyncio.to_thread(standing.close)
    return anew.is_set()


class ConnectorMetrics(Collector):
    """The ledger as Prometheus counters: they go on after a restart, because the spool does. Every label set is there from
    the start, at 0: the first loss must be an increase. A connector's own reasons come when they come; that something went
    to quarantine shows in `uns_connector_outcomes`."""

    def __init__(self, runner: ConnectorRunner) -> None:
        self._runner = runner

    def collect(self) -> Iterable[Metric]:
        runner, name = self._runner, self._runner.name
        ledger = runner.spool.ledger()
        units = CounterMetricFamily(
            "uns_connector_units",
            "Tag values, facts and malformed messages by what became of them",
            labels=("connector", "outcome", "reason"),
        )
        outcomes = CounterMetricFamily(
            "uns_connector_outcomes",
            "The same by outcome alone: every one from the start on",
            labels=("connector", "outcome"),
        )
        totals: Counter[str] = Counter()
        for outcome, reason, count in _rows(ledger):
            units.add_metric((name, outcome, reason), count)
            totals[outcome] += count
        for outcome, count in totals.items():
            outcomes.add_metric((name, outcome), count)
        yield units
        yield outcomes
        yield from _of_source(name, runner.source)
        for metric, text, value in (
            ("uns_connector_pending_units", "Read and not yet confirmed by Kafka", ledger.pending),
            ("uns_connector_spool_bytes", "Record bytes in the spool", runner.spool.bytes),
            ("uns_connector_spool_limit_bytes", "Size at which the spool is full", runner.spool.max_bytes),
            (
                "uns_connector_source_up",
                "1 while the source is open and gives signs of life",
                float(runner.source.up()),
            ),
            (
                "uns_connector_silence_seconds",
                "Since the newest batch",
                -1 if (age_s := runner.source.last_sample_age_s()) is None else age_s,
            ),
            (
                "uns_connector_clock_offset_seconds",
                "How far the clock of the source is ahead of ours, of several machines the one that is off most",
                worst.offset_s if (worst := runner.source.clocks.worst()) is not None else float("nan"),
            ),
        ):
            gauge = GaugeMetricFamily(metric, text, labels=("connector",))
            gauge.add_metric((name,), value)
            yield gauge
        for metric, text, count in (
            ("uns_connector_reopened", "Times the source was lost and opened anew", runner.source.reopened),
            ("uns_connector_reloads", "Changed plant models by which it goes on", runner.reloads),
            (
                "uns_connector_overflows",
                "Times the source said of a tag that it had no room for values and dropped them",
                runner.overflows,
            ),
        ):
            counter = CounterMetricFamily(metric, text, labels=("connector",))
            counter.add_metric((name,), count)
            yield counter


def _of_source(name: str, source: Source) -> Iterable[Metric]:
    """By kind of error and by machine; the machines are those of the plant model, at most `MACHINES_MAX`."""
    errors = CounterMetricFamily(
        "uns_connector_source_errors", "Times the source failed, by kind", labels=("connector", "kind")
    )
    for kind, count in source.errors.items():
        errors.add_metric((name, kind), count)
    yield errors
    standing_by = GaugeMetricFamily(
        "uns_connector_standing_by",
        "1 while the connector of this name on another host reads the source",
        labels=("connector",),
    )
    standing_by.add_metric((name,), float(source.standby is not None))
    yield standing_by
    ages = GaugeMetricFamily(
        "uns_connector_sample_age_seconds",
        "Since a machine's newest value that is not bad; of many machines those that were heard longest ago",
        labels=("connector", "machine"),
    )
    for place, machine in source.machines().items():
        if machine.last_sample_age_s is not None:
            ages.add_metric((name, place), machine.last_sample_age_s)
    yield ages
    stale = GaugeMetricFamily(
        "uns_connector_stale",
        "1 while a machine, or tags of a rule with stale_after_s, have no new value though the source is connected",
        labels=("connector", "machine", "tags"),
    )
    for (path, tags), is_stale in source.watched():
        stale.add_metric((name, str(path), tags), float(is_stale))
    yield stale


def _rows(ledger: Ledger) -> Iterable[tuple[str, str, int]]:
    yield READ, "", ledger.read
    yield PUBLISHED, "", ledger.published
    for outcome, known, reasons in (
        (SUPPRESSED, REASONS, ledger.suppressed),
        (QUARANTINED, (UNKNOWN_PATH, BAD_VALUE, BAD_FACT, REFUSED_BY_TOPIC), ledger.quarantined),
        (DROPPED, (SPOOL_FULL,), ledger.dropped),
    ):
        for reason, count in (dict.fromkeys(known, 0) | dict(reasons)).items():
            yield outcome, reason, count
