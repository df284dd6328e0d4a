"""Samples in chunks on a real PostgreSQL, compared value by value with what the log says, however they come."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.records import Sample, Samples
from sinks.base import Delivery
from sinks.historian import samples as store
from sinks.historian.tables import moment
from tests.harness.records import PATH, T
from tests.integration.sinks.historian.database import RAW, Database, delivery, run, samples
from tests.integration.sinks.historian.writer import LOG, record
from uns.testing.patience import patient

HOUR_US = 3_600_000_000
OTHER = 'acme/dallas/packaging/line-2/söme "cell\\'
SHOWN = "SELECT path, tag, at, value_number, value_integer, value_text, value_boolean, quality, source, kafka_partition, kafka_offset FROM samples"

Batch = list[tuple[int, int, str, tuple[Sample, ...]]]
"""Offset, partition, path and samples of each record."""


def shown(key: str, s: Sample, source: str, partition: int, offset: int) -> tuple[Any, ...]:
    integer = s.value if type(s.value) is int else None
    number = float(s.value) if isinstance(s.value, int | float) and not isinstance(s.value, bool) else None
    text = s.value if type(s.value) is str else None
    boolean = s.value if type(s.value) is bool else None
    return (key, s.tag, moment(s.at), number, integer, text, boolean, s.quality, source, partition, offset)


class Oracle:
    """What the table has to show: of one time the later in the log, whatever is written how often."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int], tuple[Any, ...]] = {}

    def take(self, deliveries: list[Delivery]) -> None:
        for each in deliveries:
            assert isinstance(each.record, Samples)
            for s in each.record.samples:
                key = each.key, s.tag, s.at
                old = self.rows.get(key)
                if old is None or old[-2] != each.partition or old[-1] <= each.offset:
                    self.rows[key] = shown(each.key, s, each.record.source, each.partition, each.offset)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counter) and Counter(map(repr, self.rows.values())) == other


def found(database: Database) -> Counter[str]:
    return Counter(repr(row) for row in database.ask(SHOWN))


SAMPLE = st.builds(
    Sample,
    st.sampled_from(["Speed", "Näme 'of' \"it\"", "On/Off"]),
    st.integers(0, 60).map(lambda n: T + n * HOUR_US // 2 + n),
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, -(2**63), 2**63 - 1]),
        st.sampled_from([0.0, -0.0, float("inf"), float("nan"), 5e-324, 1.5]),
        st.sampled_from(["", 'ä\\"{},;\t\n', "NULL", "x" * 3000]),
    ),
    st.sampled_from([0, 0, 0, 0x80000000, 0xFFFFFFFF]),
)
RECORD = st.tuples(
    st.integers(0, 40), st.sampled_from([0, 1, 1, 1]), st.sampled_from([PATH, OTHER]),
    st.sampled_from(["plc", "plc", "other"]), st.lists(SAMPLE, min_size=1, max_size=6).map(tuple),
)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(["one", "one", "two", "anew"]), st.lists(RECORD, max_size=5)), max_size=12))
def check(database: Database, writes: list[tuple[str, list[Any]]]) -> None:
    async def go() -> None:
        oracle = Oracle()
        sinks = {name: database.sink(name) for name in ("one", "two")}
        for sink in sinks.values():
            await sink.open()
        for number, (who, records) in enumerate(writes):
            if who == "anew":
                await sinks["one"].close()
                await sinks["one"].open()
            batch = [
                delivery(Samples(source, offset, some), offset, partition=partition, key=key)
                for offset, partition, key, source, some in records
            ]
            assert await sinks["two" if who == "two" else "one"].write(batch, {(RAW, 1): number}) == []
            oracle.take(batch)
            assert oracle == found(database)
        for sink in sinks.values():
            await sink.close()

    database.ask("TRUNCATE sample_chunk, sample_replaced, tag, location, origin")
    run(go())


@pytest.mark.timeout(600)
def test_however_samples_come_the_table_shows_what_the_log_says(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def make() -> None:
        sink = database.sink()
        await sink.open()
        await sink.close()

    monkeypatch.setattr(store, "RUN_MAX", 3)
    run(make())
    check(database)


def test_small_writes_become_large_chunks_and_nothing_is_lost_or_twice(database: Database) -> None:
    async def go() -> None:
        oracle, sink = Oracle(), database.sink()
        await sink.open()
        for n in range(300):
            if n == 150:
                await sink.close()
                await sink.open()
            batch = [delivery(samples(Sample("a", T + n * 1_000_000, n / 7), Sample("b", T + n * 1_000_000, n)), n)]
            assert await sink.write(batch, {(RAW, 1): n + 1}) == []
            oracle.take(batch)
        assert oracle == found(database)
        [(chunks, largest)] = database.ask("SELECT count(*), max(cardinality(at_us)) FROM sample_chunk")
        assert chunks <= 2 * (store.RUN_MAX + 4)
        assert largest > 200
        await sink.close()

    run(go())


def test_a_span_of_a_tag_what_held_and_the_mean_by_time(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        start = T - T % HOUR_US
        day = [Sample("Speed", start + n * HOUR_US // 2, float(n)) for n in range(-96, 96)]
        bad = Sample("Speed", start + HOUR_US + 1, None, 0x80000000)
        await sink.write([delivery(samples(*day, bad), 1)], {})
        since, until = moment(start), moment(start + 2 * HOUR_US)
        at = f"timestamptz '{since}', timestamptz '{until}'"
        between = database.ask(f"SELECT at, value_number, quality FROM samples_between('{PATH}', 'Speed', {at})")
        wanted = [(moment(s.at), s.value, s.quality) for s in [*day, bad] if since <= moment(s.at) < until]
        assert sorted(between, key=repr) == sorted(wanted, key=repr)
        by_view = database.ask(
            f"SELECT at, value_number, quality FROM samples WHERE path = '{PATH}' AND tag = 'Speed' AND at >= '{since}' AND at < '{until}'"
            f" AND chunk_at BETWEEN timestamptz '{since}' - interval '1 day' AND '{until}'"
        )
        assert sorted(by_view, key=repr) == sorted(between, key=repr)
        held = database.ask(f"SELECT value_number FROM value_at('{PATH}', 'Speed', timestamptz '{moment(start + 5)}')")
        assert held == [(0.0,)]
        assert database.ask(f"SELECT * FROM value_at('{PATH}', 'Speed', '2001-01-01')") == []
        shifted = f"timestamptz '{moment(start + 5)}', timestamptz '{until}'"
        first = database.ask(
            f"SELECT at, held_until, value_number FROM samples_held('{PATH}', 'Speed', {shifted}) ORDER BY at LIMIT 1"
        )
        assert first == [(moment(start + 5), moment(start + HOUR_US // 2), 0.0)]
        by = database.ask(
            f"SELECT number, mean, lowest, highest, round(coverage::numeric, 6) FROM samples_by('{PATH}', 'Speed', {at}, '1 hour')"
        )
        # In the second hour the value turns bad one microsecond after it began, until the half.
        assert [(row[0], round(row[1], 6), *row[2:4], float(row[4])) for row in by] == [
            (2, 0.5, 0.0, 1.0, 1.0), (2, 3.0, 2.0, 3.0, 0.5),
        ]  # fmt: skip
        await sink.close()

    run(go())


def test_a_value_that_is_corrected_stays_readable(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        await sink.write([delivery(samples(Sample("a", T, 1.0), Sample("a", T + 1, 1.0)), 1)], {})
        for _ in range(2):
            await sink.write([delivery(samples(Sample("a", T, 2.0), Sample("a", T + 1, 1.0)), 2)], {})
        assert database.ask("SELECT value_number FROM samples ORDER BY at") == [(2.0,), (1.0,)]
        assert database.ask("SELECT tag, value_number, kafka_offset FROM samples_replaced") == [("a", 1.0, 1)]
        await sink.close()

    run(go())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_writer_killed_fifty_times_leaves_every_row_once(database: Database, tmp_path: Path) -> None:
    """At any point between two records, and between the target's commit and what the runner would say to Kafka."""
    kills = 0
    line = Path(__file__).with_name("writer.py")
    while True:
        command = [sys.executable, str(line), database.dsn, database.schema, str(kills)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4], text=True) as process:
            assert process.stdout is not None
            wanted = kills % 4 if kills < 50 else 10**9
            seen = 0
            for said in process.stdout:
                seen += said.startswith("committed")
                if seen > wanted:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                    break
            process.wait(patient(60))
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert kills >= 50
    oracle = Oracle()
    oracle.take([delivery(record(n), n) for n in range(LOG)])
    assert oracle == found(database)


@pytest.mark.parametrize("how", ["late and new in one", "late alone, one by one", "two sources in turn"])
def test_small_late_writes_are_packed_too(database: Database, how: str) -> None:
    async def go() -> None:
        oracle, sink = Oracle(), database.sink()
        await sink.open()
        if how != "two sources in turn":
            assert await sink.write([delivery(samples(Sample("a", T + 9_000_000_000, 0.5)), 0)], {}) == []
            oracle.take([delivery(samples(Sample("a", T + 9_000_000_000, 0.5)), 0)])
        for n in range(200):
            late = Sample("a", T + n * 1_000_000, n / 7)
            new = Sample("a", T + 9_000_000_000 + n * 1_000_000 + 1, n / 7)
            if how == "late and new in one":
                batch = [delivery(samples(late, new), n + 1)]
            elif how == "two sources in turn":
                before = Sample("a", T + n * 1_000_000 - 1_500_000, "x")
                batch = [delivery(samples(late), n + 1), delivery(Samples("opcua", n, (before,)), n + 1)]
            else:
                batch = [delivery(samples(late), n + 1)]
            assert await sink.write(batch, {}) == []
            oracle.take(batch)
        assert oracle == found(database)
        [(chunks,)] = database.ask("SELECT count(*) FROM sample_chunk")
        assert chunks <= 2 * store.RUN_MAX + 8
        await sink.close()

    run(go())
