"""Two looks at a worker's metrics: rates, percentiles, ages, and several workers behind one parent."""

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from uns.cli.top import _look, _table
from uns.runtime import telemetry
from uns.watch.health import reasons
from uns.watch.scrape import Gathered, Unreachable, families
from uns.watch.top import STAGES, Look, PartitionRow, WorkerRow, quantile, rows


class Worker:
    """Metrics as the engine has them, in a registry of their own."""

    def __init__(self, begun: float = 1.0) -> None:
        self.registry = one = CollectorRegistry()
        place = ["topic", "partition"]
        Gauge("process_start_time_seconds", "", registry=one).set(begun)
        self.records = Counter("uns_engine_records", "", ["topic"], registry=one)
        self.quarantined = Counter("uns_engine_quarantined", "", ["reason"], registry=one)
        self.stages = Counter("uns_engine_stage_seconds", "", ["stage"], registry=one)
        self.group = Histogram("uns_engine_group_records", "", buckets=(10, 100), registry=one)
        self.transaction = Histogram("uns_engine_transaction_seconds", "", buckets=(0.01, 0.1, 1), registry=one)
        self.fence = Gauge("uns_engine_fence_offset", "", place, registry=one)
        self.lag = Gauge("uns_engine_lag", "", place, registry=one)
        self.committed_at = Gauge("uns_engine_committed_at_seconds", "", place, registry=one)

    def look(self, at_s: float) -> Look:
        text = generate_latest(self.registry).decode()
        return Look.of(text_string_to_metric_families(text), at_s)

    def work(self, records: int, seconds: float) -> None:
        self.records.labels("t").inc(records)
        self.group.observe(records)
        self.transaction.observe(seconds)


def test_rates_are_of_the_time_between_two_looks() -> None:
    worker = Worker()
    worker.work(1000, 0.5)
    before = worker.look(100.0)
    worker.work(20, 0.05)
    worker.work(40, 0.05)
    worker.stages.labels("decode").inc(0.5)
    worker.quarantined.labels("bad_avro").inc(3)
    worker.fence.labels("t", "0").set(1060)
    worker.lag.labels("t", "0").set(7)
    worker.committed_at.labels("t", "0").set(990)
    (row,) = rows(before, worker.look(102.0), wall_s=1000.0)
    assert (row.records_s, row.batch_records, row.transactions_s) == (30.0, 30.0, 1.0)
    assert row.transaction_ms_p50 == pytest.approx(55.0)  # both between 10 and 100 ms
    assert row.busy["decode"] == 0.25
    assert row.quarantined == {"bad_avro": 3}
    (partition,) = row.partitions
    assert (partition.lag, partition.fence, partition.fence_age_s, partition.delay_s) == (7, 1060, 10.0, None)


def test_a_worker_that_began_anew_counts_from_its_begin() -> None:
    old, new = Worker(1.0), Worker(2.0)
    old.work(1000, 0.5)
    new.work(10, 0.5)
    (row,) = rows(old.look(100.0), new.look(101.0), 0.0)
    assert row.records_s == 10.0


def test_a_parent_speaks_for_all_and_says_who_is_away() -> None:
    workers = [Worker(), Worker()]
    for number, worker in enumerate(workers, 1):
        worker.work(10 * number, 0.5)
    addresses = {f"w{n}": telemetry.serve(registry=worker.registry) for n, worker in enumerate(workers)}
    registry = CollectorRegistry()
    registry.register(Gathered({**addresses, "w9": "http://127.0.0.1:9"}))
    parent = telemetry.serve(registry=registry, ready=lambda: ["w9: does not answer"])
    look = Look.of(families(parent), 10.0)
    assert look.by("uns_worker_up", "worker") == {"w0": 1.0, "w1": 1.0, "w9": 0.0}
    assert look.away() == ["w9"]
    looks, away = _look([parent])
    assert list(looks) == [parent]
    assert away == {f"{parent} w9": f"w9, says {parent}"}
    found = rows(Look(0.0, {}), look, 0.0)
    assert [(row.worker, row.records_s) for row in found] == [("w0", 1.0), ("w1", 2.0)]
    assert reasons(parent, "ready") == ["w9: does not answer"]
    assert reasons(parent, "live") == []
    assert "does not answer" in reasons("http://127.0.0.1:9", "live")[0]
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9/metrics"):
        families("http://127.0.0.1:9")


def test_partitions_can_be_told_apart_in_80_columns() -> None:
    row = WorkerRow(
        worker="processors-0",
        generation=12,
        partitions=[
            PartitionRow(
                "uns.acme.dallas.packaging.raw", number, 12_345, 0.12, 123_456_789, 0.2, 11.0, 30_100, 4_100_000
            )
            for number in (0, 11)
        ],
        records_s=21_034,
        samples_s=420_000,
        outputs_s=3_120,
        batch_records=1_870,
        transactions_s=11.2,
        transaction_ms_p50=21,
        transaction_ms_p99=148,
        busy=dict.fromkeys(STAGES, 0.1),
        restored_s=0.6,
        in_flight_mb=12,
        in_flight_limit_mb=64,
        quarantined={"late": 12},
    )
    console = Console(width=80, record=True, file=StringIO())
    console.print(_table([row], {}))
    said = console.export_text()
    assert "…" not in said
    assert max(map(len, said.splitlines())) <= 80
    assert "uns.acme.dallas.packaging[0]" in said
    assert "uns.acme.dallas.packaging[11]" in said
    assert all(number in said for number in ("12,345", "123456789", "30,100", "420,000", "processors-0", "12/64 MB"))


def test_no_observation_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({0.1: 0.0, float("inf"): 0.0}, 0.99) is None


def test_above_the_last_bound_the_bound_is_said() -> None:
    assert quantile({0.1: 0.0, float("inf"): 5.0}, 0.5) == 100.0


@given(st.lists(st.floats(0.0001, 5.0), min_size=1), st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_value_at_its_rank(values: list[float], q: float) -> None:
    bounds = [0.01, 0.1, 1.0, float("inf")]
    found = quantile({bound: float(sum(v <= bound for v in values)) for bound in bounds}, q)
    ordered = sorted(values)
    value = ordered[min(len(ordered) - 1, max(0, -(-int(q * len(ordered) * 1e9) // 10**9) - 1))]
    low, high = next((low, high) for low, high in zip([0.0, *bounds], bounds, strict=False) if value <= high)
    assert found is not None
    assert low * 1e3 - 1e-6 <= found <= min(high, 1.0) * 1e3 + 1e-6 or high == float("inf")
