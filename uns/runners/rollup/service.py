"""The roll-ups' process: everything put together, metrics, health, signals, and an end that says why."""

import signal
import time
from collections.abc import Iterable

import structlog
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from processors.rollup.fold import LEVELS
from schemas.codec import Codec
from topology.model.plant import Plant
from uns.dlq.counting import OpenRecords
from uns.engine.config import EngineConfig
from uns.engine.failure import Exit, Fatal
from uns.registry.client import RegistryUnavailable
from uns.runners.rollup.runner import OUTCOMES, RollupRunner
from uns.runtime import telemetry
from uns.runtime.settings import Settings

log = structlog.get_logger()
LIVE_S = 120.0


def serve(settings: Settings, plant: Plant, codec: Codec, horizon_us: int | None = None) -> int:
    """Rolls up until SIGTERM or SIGINT, or until it ends itself; returns an `Exit`. Raises `UserError`."""
    config = EngineConfig()
    telemetry.configure_logs(settings)
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        runner = RollupRunner(settings, config, plant, codec, horizon_us)
        REGISTRY.register(RollupMetrics(runner))
        opened = OpenRecords(settings, plant)  # here, for there is one process an enterprise
        REGISTRY.register(opened)
        opened.start()
        address = telemetry.serve(
            settings.bind,
            settings.metrics_port,
            live=lambda: (
                () if time.monotonic() - runner.turned < LIVE_S else ("the loop has not turned for two minutes",)
            ),
            ready=lambda: () if runner.sums.restored_s is not None else ("restoring state from the kpi topics",),
        )
        log.info("roll-ups run", enterprise=str(plant.enterprise), metrics=f"{address}/metrics")
        runner.run(lambda: stopping)
    except Fatal as fatal:
        log.error("roll-ups end, a restart goes on from the last commit", why=str(fatal), exit=f"{fatal.code}")
        return fatal.code
    except RegistryUnavailable as error:
        log.error("roll-ups end, a restart goes on from the last commit", why=str(error), exit=f"{Exit.REGISTRY}")
        return Exit.REGISTRY
    except Exception as error:
        log.exception("roll-ups end by a bug, a restart goes on from the last commit", why=repr(error))
        return Exit.FOLD
    return Exit.STOPPED


class RollupMetrics(Collector):
    """Every label set is there from the start, at 0: the first loss must be an increase."""

    def __init__(self, runner: RollupRunner) -> None:
        self._runner = runner

    def collect(self) -> Iterable[Metric]:
        sums, fold = self._runner.sums, self._runner.fold
        levels = [level.name.lower() for level in LEVELS]
        for metric, text, label, known, counts in (
            ("uns_rollup_records", "Kpi records read, by what became of them", "outcome", OUTCOMES, sums.records),
            ("uns_rollup_late", "Parts that came after their window was let go of", "level", levels, fold.late),
            ("uns_rollup_outputs", "Kpi records committed", "level", levels, sums.outputs),
        ):
            family = CounterMetricFamily(metric, text, labels=(label,))
            for name, count in (dict.fromkeys(map(str, known), 0) | dict(counts)).items():
                family.add_metric((str(name),), count)
            yield family
        for metric, text, value in (
            ("uns_rollup_transactions", "Transactions committed", sums.transactions),
            ("uns_rollup_derive_seconds", "Time spent computing", sums.derive_s),
            ("uns_rollup_commit_seconds", "Time spent committing", sums.commit_s),
        ):
            yield CounterMetricFamily(metric, text, value=value)
        yield GaugeMetricFamily("uns_rollup_windows", "Windows held, of all places", value=fold.windows)
        yield GaugeMetricFamily(
            "uns_rollup_restored_seconds", "Time the restore took at the start", value=sums.restored_s or 0.0
        )
