"""A connector's process: everything put together, metrics, health, signals."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterable

import structlog
from prometheus_client import REGISTRY, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.records import FACT_TYPES, Samples
from topology.model.plant import Plant
from uns.client.connection import codec
from uns.errors import ServiceError, UserError
from uns.model.components import connector_spec
from uns.runners.connector.ledger import DROPPED, FOLDER, PUBLISHED, QUARANTINED, READ, SUPPRESSED, Ledger
from uns.runners.connector.outlet import REFUSED_BY_TOPIC, Outlet, OutletBroken
from uns.runners.connector.packing import BAD_FACT, BAD_VALUE, UNKNOWN_PATH, Packer
from uns.runners.connector.runner import ConnectorRunner
from uns.runners.connector.shaping import REASONS
from uns.runners.connector.spool import SPOOL_FULL, Spool, SpoolError
from uns.runtime import clock, telemetry
from uns.runtime.settings import Settings

log = structlog.get_logger()

_PUBLISH = Histogram("uns_connector_publish_seconds", "From the client to Kafka's confirmation", ["connector"])


def serve(settings: Settings, plant: Plant, name: str) -> None:
    """Runs a connector of the plant model until SIGTERM. Raises `UserError` for what a user can mend."""
    telemetry.configure_logs(settings)
    model = plant.connectors[name]
    spec = connector_spec(model.protocol)
    connector = spec.build(name, spec.config.model_validate(model.config))
    records = codec(settings, (Samples, *FACT_TYPES))
    try:
        spool = Spool(settings.state_dir / FOLDER / name, model.spool.max_mb * 1_000_000)
    except (SpoolError, ServiceError) as error:
        raise UserError(str(error)) from error
    packer = Packer(name, plant, records, model, spool.next_sequence)
    runner = ConnectorRunner(name, model, connector, packer, spool, clock.from_spec(settings.clock))
    try:
        asyncio.run(_run(settings, runner))
    except (SpoolError, OutletBroken) as error:
        raise UserError(f"connector {name}: {error}") from error


async def _run(settings: Settings, runner: ConnectorRunner) -> None:
    loop = asyncio.get_running_loop()
    turned = [time.monotonic()]

    async def turn() -> None:
        while True:
            turned[0] = time.monotonic()
            await asyncio.sleep(1)

    def wake() -> None:
        loop.call_soon_threadsafe(runner.wake)

    runner.attach(Outlet(settings, runner.spool, wake, runner.split, _PUBLISH.labels(runner.name).observe))
    REGISTRY.register(ConnectorMetrics(runner))
    telemetry.serve(
        settings.bind,
        settings.metrics_port,
        live=lambda: () if time.monotonic() - turned[0] < 10 else ("the loop has not turned for 10 s",),
        ready=runner.problems,
    )
    heart = asyncio.create_task(turn())
    task = asyncio.create_task(runner.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.debug("stopped", connector=runner.name)
    finally:
        heart.cancel()


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
        for metric, text, value in (
            ("uns_connector_pending_units", "Read and not yet confirmed by Kafka", ledger.pending),
            ("uns_connector_spool_bytes", "Record bytes in the spool", runner.spool.bytes),
            ("uns_connector_spool_limit_bytes", "Size at which the spool is full", runner.spool.max_bytes),
            (
                "uns_connector_source_up",
                "1 while the source is open and gives signs of life",
                float(runner.source_up()),
            ),
            (
                "uns_connector_silence_seconds",
                "Since the newest batch",
                time.monotonic() - runner.last_read if runner.last_read else -1,
            ),
            (
                "uns_connector_clock_offset_seconds",
                "How far the clock of the source is ahead of ours, of several machines the one that is off most",
                worst.offset_s if (worst := runner.clocks.worst()) is not None else float("nan"),
            ),
        ):
            gauge = GaugeMetricFamily(metric, text, labels=("connector",))
            gauge.add_metric((name,), value)
            yield gauge
        for metric, text, count in (
            ("uns_connector_reopened", "Times the source was lost and opened anew", runner.reopened),
            (
                "uns_connector_overflows",
                "Times the source said of a tag that it had no room for values and dropped them",
                runner.overflows,
            ),
        ):
            counter = CounterMetricFamily(metric, text, labels=("connector",))
            counter.add_metric((name,), count)
            yield counter


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
