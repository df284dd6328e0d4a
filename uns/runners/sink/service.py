"""A sink's process: everything put together, metrics, health, signals."""

import asyncio
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import structlog
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.codec import REASONS
from schemas.records import TYPES
from topology.model.plant import Plant
from uns.client.connection import codec
from uns.errors import UserError
from uns.model.components import sink_spec
from uns.runners.sink.health import FOLDER, SinkHealth, write_health
from uns.runners.sink.runner import SINK_ERROR, SinkRunner
from uns.runners.sink.source import BAD_KEY, SinkSource, SourceLost
from uns.runtime import telemetry, wish
from uns.runtime.settings import Settings

log = structlog.get_logger()
SAY_S = 1.0


def group(plant: Plant, name: str) -> str:
    """Consumer group of a sink of the plant model."""
    return f"uns-sink-{plant.enterprise}-{name}"


def serve(settings: Settings, plant: Plant, name: str) -> None:
    """Runs a sink of the plant model until SIGTERM. Raises `UserError` for what a user, or a new start, can mend."""
    telemetry.configure_logs(settings)
    model = plant.sinks[name]
    spec = sink_spec(model.kind)
    folder = settings.state_dir / FOLDER / name
    sink = spec.build(name, spec.config.model_validate(model.config), folder)
    source = SinkSource(
        settings, plant, model.subscribe, group(plant, name), name, codec(settings, TYPES.values()), spec.takes_removals
    )
    if spec.knows is not None:
        spec.knows(sink, plant)
    try:
        anew = asyncio.run(_run(settings, SinkRunner(name, sink, source), folder))
    except SourceLost as error:
        raise UserError(f"sink {name}: {error}") from error
    if anew:
        wish.begin_anew()


async def _run(settings: Settings, runner: SinkRunner, folder: Path) -> bool:
    """Whether it is to begin anew."""
    anew = asyncio.Event()

    def pause(paused: bool) -> None:
        runner.paused = wish.PAUSED if paused else None

    def again() -> None:
        anew.set()
        task.cancel()

    pause(wish.read(folder).paused)
    REGISTRY.register(SinkMetrics(runner))
    telemetry.serve(
        settings.bind,
        settings.metrics_port,
        live=lambda: () if time.monotonic() - runner.turned < 60 else ("the runner has not turned for a minute",),
        ready=lambda: problems(runner),
    )
    task = asyncio.create_task(runner.run())
    beside = [asyncio.create_task(one) for one in (_say(runner, folder), wish.obeyed(folder, pause, again))]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.debug("stopped", sink=runner.name)
    finally:
        for one in beside:
            one.cancel()
    return anew.is_set()


def problems(runner: SinkRunner) -> tuple[str, ...]:
    """Why it is not ready."""
    return tuple(words for words in (runner.paused, runner.problem, runner.waits_for) if words)


def health(runner: SinkRunner) -> SinkHealth:
    sums, now = runner.sums, time.time_ns() // 1000
    return SinkHealth(
        now,
        problems(runner),
        sums.written,
        sums.rejected.total(),
        sums.unreadable.total(),
        sums.left_behind,
        sums.given_again,
        sums.retries,
        sums.held,
        sums.unclear,
        sums.lag,
        oldest_age_s(runner, now),
    )


def oldest_age_s(runner: SinkRunner, now: int) -> float:
    """Since the oldest record came that was read and the target does not have; 0 where nothing waits."""
    oldest = runner.sums.oldest_at
    return 0.0 if oldest is None else max(0.0, (now - oldest) / 1e6)


async def _say(runner: SinkRunner, folder: Path) -> None:
    """Into the sink's folder, for `uns sink status`. A folder that cannot be written harms nothing else."""
    told = True
    while True:
        try:
            await asyncio.to_thread(write_health, folder, health(runner))
        except OSError as error:
            if told:
                log.warning("health cannot be written", sink=runner.name, error=str(error))
            told = False
        await asyncio.sleep(SAY_S)


class SinkMetrics(Collector):
    """Every label set is there from the start, at 0: the first loss must be an increase. A target's own reasons come when
    they come; that something was rejected shows in `uns_sink_outcomes`."""

    def __init__(self, runner: SinkRunner) -> None:
        self._runner = runner

    def collect(self) -> Iterable[Metric]:
        sums, name = self._runner.sums, self._runner.name
        records = CounterMetricFamily(
            "uns_sink_records", "Records by what became of them", labels=("sink", "outcome", "reason")
        )
        outcomes = CounterMetricFamily(
            "uns_sink_outcomes", "Records by outcome alone: every one from the start on", labels=("sink", "outcome")
        )
        records.add_metric((name, "written", ""), sums.written)
        outcomes.add_metric((name, "written"), sums.written)
        records.add_metric((name, "left_behind", ""), sums.left_behind)
        outcomes.add_metric((name, "left_behind"), sums.left_behind)
        records.add_metric((name, "passed_over", "removal"), sums.passed_over)
        outcomes.add_metric((name, "passed_over"), sums.passed_over)
        for outcome, known, reasons in (
            ("rejected", (SINK_ERROR,), sums.rejected),
            ("unreadable", (BAD_KEY, *REASONS), sums.unreadable),
        ):
            outcomes.add_metric((name, outcome), reasons.total())
            for reason, count in (dict.fromkeys(known, 0) | dict(reasons)).items():
                records.add_metric((name, outcome, reason), count)
        yield records
        yield outcomes
        for metric, text, value in (
            ("uns_sink_batches", "Batches that the target has taken", sums.batches),
            ("uns_sink_write_seconds", "Time the target took for them", sums.write_s),
            ("uns_sink_retries", "Attempts that the target did not take", sums.retries),
            (
                "uns_sink_given_again",
                "Attempts at quarantined records that `uns dlq retry` gave back",
                sums.given_again,
            ),
        ):
            counter = CounterMetricFamily(metric, text, labels=("sink",))
            counter.add_metric((name,), value)
            yield counter
        held = GaugeMetricFamily(
            "uns_sink_held",
            "Records that wait because the target cannot take them or one before them",
            labels=("sink",),
        )
        held.add_metric((name,), sums.held)
        yield held
        for metric, text, gauge in (
            ("uns_sink_lag", "Records that the target does not have yet", float(sums.lag or 0)),
            (
                "uns_sink_oldest_undelivered_seconds",
                "Since the oldest record came that was read and the target does not have; 0: nothing waits",
                oldest_age_s(self._runner, time.time_ns() // 1000),
            ),
            ("uns_sink_unclear", "Requests whose outcome nobody knows yet", float(sums.unclear)),
        ):
            family = GaugeMetricFamily(metric, text, labels=("sink",))
            family.add_metric((name,), gauge)
            yield family
        up = GaugeMetricFamily("uns_sink_target_up", "1 while the target takes what it is given", labels=("sink",))
        up.add_metric((name,), float(self._runner.problem is None))
        yield up
