"""What the workers do now: two looks at their metrics to rates, percentiles and ages. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from prometheus_client import Metric

Labels = tuple[tuple[str, str], ...]
STAGES = ("decode", "fold.samples", "fold.tick", "fold.fact", "state", "commit")


class Look(NamedTuple):
    """One worker's metrics at one moment."""

    at_s: float
    values: Mapping[str, Mapping[Labels, float]]
    """Sample name → labels → value."""

    @classmethod
    def of(cls, families: Iterable[Metric], at_s: float) -> "Look":
        values: dict[str, dict[Labels, float]] = {}
        for family in families:
            for sample in family.samples:
                values.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        return cls(at_s, values)

    def workers(self) -> dict[str, "Look"]:
        """One look a worker, where a parent speaks for several; under "" where it is one."""
        by_worker: dict[str, dict[str, dict[Labels, float]]] = {}
        for name, series in self.values.items():
            for labels, value in series.items():
                worker = dict(labels).get("worker", "")
                rest = tuple(pair for pair in labels if pair[0] != "worker")
                by_worker.setdefault(worker, {}).setdefault(name, {})[rest] = value
        if len(by_worker) > 1:
            by_worker.pop("", None)  # the parent's own
        return {worker: Look(self.at_s, values) for worker, values in by_worker.items()}

    def away(self) -> list[str]:
        """Workers of a parent that do not answer it."""
        return sorted(dict(labels)["worker"] for labels, up in self.values.get("uns_worker_up", {}).items() if not up)

    def total(self, name: str) -> float:
        return sum(self.values.get(name, {}).values())

    def by(self, name: str, label: str) -> dict[str, float]:
        """Label's value → sum."""
        sums: dict[str, float] = {}
        for labels, value in self.values.get(name, {}).items():
            key = dict(labels).get(label, "")
            sums[key] = sums.get(key, 0.0) + value
        return sums


class PartitionRow(NamedTuple):
    """One partition as its worker sees it."""

    topic: str
    partition: int
    lag: int
    delay_s: float | None
    """From ingest to commit, of the newest committed record."""
    fence: int
    fence_age_s: float | None
    watermark_age_s: float | None
    state_keys: int
    state_bytes: int


class WorkerRow(NamedTuple):
    """One worker over the time between two looks. Rates are per second; None: nothing happened to measure."""

    worker: str
    generation: int
    partitions: list[PartitionRow]
    records_s: float
    samples_s: float
    outputs_s: float
    batch_records: float | None
    """Records a transaction, mean."""
    transactions_s: float
    transaction_ms_p50: float | None
    transaction_ms_p99: float | None
    busy: dict[str, float]
    """Stage → share of the time."""
    restored_s: float
    in_flight_mb: float
    in_flight_limit_mb: float
    quarantined: dict[str, int]
    """Reason → records since the worker began."""


def rows(before: Look, now: Look, wall_s: float) -> list[WorkerRow]:
    """A row a worker. `wall_s`: now, epoch, for ages. A worker that began anew in between counts from its begin."""
    earlier = before.workers()
    return [
        _row(worker, earlier.get(worker, Look(before.at_s, {})), look, wall_s)
        for worker, look in sorted(now.workers().items())
        if "uns_engine_records_total" in look.values or "uns_engine_partitions" in look.values
    ]


def _row(worker: str, before: Look, now: Look, wall_s: float) -> WorkerRow:
    seconds = max(now.at_s - before.at_s, 1e-9)
    anew = now.total("process_start_time_seconds") != before.total("process_start_time_seconds")

    def grown(name: str) -> float:
        return now.total(name) - (0.0 if anew else before.total(name))

    committed = grown("uns_engine_group_records_count")
    stages = now.by("uns_engine_stage_seconds_total", "stage")
    stages_before = {} if anew else before.by("uns_engine_stage_seconds_total", "stage")
    buckets = now.by("uns_engine_transaction_seconds_bucket", "le")
    buckets_before = {} if anew else before.by("uns_engine_transaction_seconds_bucket", "le")
    counts = {float(le): count - buckets_before.get(le, 0.0) for le, count in buckets.items()}
    return WorkerRow(
        worker=worker,
        generation=int(now.total("uns_engine_generation")),
        partitions=_partitions(now, wall_s),
        records_s=grown("uns_engine_records_total") / seconds,
        samples_s=grown("uns_engine_samples_total") / seconds,
        outputs_s=grown("uns_engine_outputs_total") / seconds,
        batch_records=grown("uns_engine_group_records_sum") / committed if committed else None,
        transactions_s=committed / seconds,
        transaction_ms_p50=quantile(counts, 0.5),
        transaction_ms_p99=quantile(counts, 0.99),
        busy={stage: (stages.get(stage, 0.0) - stages_before.get(stage, 0.0)) / seconds for stage in STAGES},
        restored_s=now.total("uns_engine_restored_seconds"),
        in_flight_mb=now.total("uns_engine_in_flight_bytes") / 1e6,
        in_flight_limit_mb=now.total("uns_engine_in_flight_limit_bytes") / 1e6,
        quarantined={
            reason: int(count) for reason, count in sorted(now.by("uns_engine_quarantined_total", "reason").items())
        },
    )


def _partitions(now: Look, wall_s: float) -> list[PartitionRow]:
    def value(name: str, labels: Labels) -> float | None:
        return now.values.get(name, {}).get(labels)

    rows = []
    for labels, fence in now.values.get("uns_engine_fence_offset", {}).items():
        places = dict(labels)
        committed_at = value("uns_engine_committed_at_seconds", labels)
        rows.append(
            PartitionRow(
                topic=places["topic"],
                partition=int(places["partition"]),
                lag=int(value("uns_engine_lag", labels) or 0),
                delay_s=value("uns_engine_delay_seconds", labels),
                fence=int(fence),
                fence_age_s=None if committed_at is None else wall_s - committed_at,
                watermark_age_s=value("uns_engine_watermark_age_seconds", labels),
                state_keys=int(value("uns_engine_state_keys", labels) or 0),
                state_bytes=int(value("uns_engine_state_bytes", labels) or 0),
            )
        )
    return sorted(rows)


def quantile(buckets: Mapping[float, float], q: float) -> float | None:
    """Milliseconds below which a share `q` of a cumulative histogram (upper bound in s → count) lies; linear inside a
    bucket. None without observations; the last finite bound for what is above it."""
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    counts = [buckets[bound] for bound in bounds]
    rank = q * counts[-1]
    i = bisect_left(counts, rank)
    if bounds[i] == float("inf"):
        return bounds[i - 1] * 1e3 if i else None
    low, below = (bounds[i - 1], counts[i - 1]) if i else (0.0, 0.0)
    inside = counts[i] - below
    return (low + (bounds[i] - low) * ((rank - below) / inside if inside else 1.0)) * 1e3
