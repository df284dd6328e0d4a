"""What the engine counts, as Prometheus metrics. Labels are bounded: topics, partitions, classes, reasons.

A counter stands at 0 for each of its label sets from the start: the first loss must be an increase.
"""

from collections.abc import Collection, Iterable

from prometheus_client import Counter, Gauge, Histogram

from topology.namespace.classes import DERIVED
from uns.engine.step import REASONS
from uns.kafka.message import OUTPUT_REASONS

COMMITTED, FENCED, FAILED = "committed", "fenced", "failed"
"""Outcomes of a transaction; one that hung is `committed` or `ABORTED`."""
ABORTED = "aborted"
DECODE, SAMPLES, TICK, FACT, STATE, COMMIT = STAGES = (
    "decode",
    "fold.samples",
    "fold.tick",
    "fold.fact",
    "state",
    "commit",
)
"""Where the time of a group goes; all that is derived is derived at a tick."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PARTITION = ("topic", "partition")

records = Counter("uns_engine_records", "raw records folded or quarantined", ["topic"])
samples = Counter("uns_engine_samples", "samples in the folded records", ["topic"])
outputs = Counter("uns_engine_outputs", "derived records committed", ["message_class"])
quarantined = Counter("uns_engine_quarantined", "quarantine records committed", ["reason"])
refused_outputs = Counter(
    "uns_engine_refused_outputs",
    "derived records that their topic or schema does not take; they are in quarantine",
    ["message_class", "reason"],
)
redelivered = Counter("uns_engine_redelivered", "records below the fence, dropped", ["topic"])
skipped = Counter("uns_engine_gap_offsets", "offsets that retention removed before they were folded", _PARTITION)
group_ahead = Counter("uns_engine_group_ahead", "restores with the group's offset above the fence", _PARTITION)
transactions = Counter("uns_engine_transactions", "transactions by outcome", ["outcome"])
hanging_transactions = Counter(
    "uns_engine_hanging_transactions",
    "partitions freed of a transaction that its coordinator had forgotten, by outcome",
    ["outcome"],
)
transaction_seconds = Histogram("uns_engine_transaction_seconds", "begin to commit", buckets=_SECONDS)
decode_seconds = Histogram("uns_engine_decode_seconds", "decoding one group of batches", buckets=_SECONDS)
fold_seconds = Histogram("uns_engine_fold_seconds", "folding one group of batches", buckets=_SECONDS)
stage_seconds = Counter(
    "uns_engine_stage_seconds",
    f"time by stage: {', '.join(STAGES)}",
    ["stage"],
)
group_records = Histogram(
    "uns_engine_group_records", "records in one transaction", buckets=(1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5)
)
restore_seconds = Histogram("uns_engine_restore_seconds", "assignment to open partitions", buckets=_SECONDS)
restored_seconds = Gauge("uns_engine_restored_seconds", "how long the last restore took, assignment to open partitions")
restored_partitions = Counter("uns_engine_restored_partitions", "partitions read back from their changelog")
kept_partitions = Counter("uns_engine_kept_partitions", "partitions that went on over a rebalance without a restore")
generation = Gauge("uns_engine_generation", "the consumer group's generation as this worker joined it")
partitions = Gauge("uns_engine_partitions", "partitions that this worker owns and has restored")
restored_keys = Gauge("uns_engine_restored_keys", "state keys read at the last restore", _PARTITION)
rebuilds = Counter("uns_engine_rebuilds", "partitions whose state was rebuilt from raw", ["topic"])
rebuilds_cut = Counter("uns_engine_rebuilds_cut", "rebuilds for which retention had removed the log's begin", ["topic"])
rebuild_offsets = Gauge("uns_engine_rebuild_offsets", "offsets of raw that the running rebuild goes over", _PARTITION)
rebuild_done = Gauge("uns_engine_rebuild_done_offsets", "of these, folded so far", _PARTITION)
rebuild_outputs = Counter("uns_engine_rebuild_outputs", "corrections that rebuilds published", ["topic"])
dropped = Gauge(
    "uns_engine_state_dropped_records",
    "records in the state of a type that this release has not, left out when they were loaded",
    (*_PARTITION, "type"),
)
lag = Gauge("uns_engine_lag", "offsets between the fence and the last stable offset", _PARTITION)
fence = Gauge("uns_engine_fence_offset", "next offset to read, as committed", _PARTITION)
watermark = Gauge("uns_engine_watermark_seconds", "event time up to which windows have closed, epoch", _PARTITION)
watermark_age = Gauge("uns_engine_watermark_age_seconds", "plant clock minus watermark", _PARTITION)
committed_at = Gauge("uns_engine_committed_at_seconds", "wall time of the last commit, epoch", _PARTITION)
delay = Gauge(
    "uns_engine_delay_seconds", "from Kafka's ingest of the newest committed record to its commit", _PARTITION
)
state_keys = Gauge("uns_engine_state_keys", "keys of state in the changelog", _PARTITION)
state_bytes = Gauge("uns_engine_state_bytes", "bytes of state in the changelog, after compaction", _PARTITION)
changelog_bytes = Counter("uns_engine_changelog_bytes", "bytes of changed state committed", ["topic"])
in_flight = Gauge("uns_engine_in_flight_bytes", "fetched and not yet committed")
in_flight_limit = Gauge("uns_engine_in_flight_limit_bytes", "fetching pauses above it (UNS_ENGINE_IN_FLIGHT_MB)")
registry_retries = Counter("uns_engine_registry_retries", "waits for an absent registry")
ticks = Counter("uns_engine_ticks", "ticks written")
ticks_lost = Counter("uns_engine_ticks_lost", "ticks that could not be written")
PER_TOPIC = (records, samples, redelivered, rebuilds, rebuilds_cut, rebuild_outputs, changelog_bytes)
PER_PARTITION = (restored_keys, lag, fence, watermark, watermark_age, committed_at, delay, state_keys, state_bytes)


def start(topics: Iterable[str]) -> None:
    """Puts every counter of a worker over these raw topics to 0; those by partition follow with the partition."""
    for topic in topics:
        for counter in PER_TOPIC:
            counter.labels(topic)
    known: dict[Counter, Collection[str]] = {
        outputs: DERIVED,
        quarantined: REASONS,
        transactions: (COMMITTED, FENCED, FAILED),
        hanging_transactions: (COMMITTED, ABORTED),
        stage_seconds: STAGES,
    }
    for message_class in DERIVED:
        for reason in OUTPUT_REASONS:
            refused_outputs.labels(message_class, reason)
    for counter, labels in known.items():
        for label in labels:
            counter.labels(label)


def forget(topic: str, partition: int) -> None:
    """Drops the gauges of a partition that is another worker's now."""
    for gauge in PER_PARTITION:
        try:
            gauge.remove(topic, str(partition))
        except KeyError:
            continue
