"""The historian on a real PostgreSQL: what is written is read back, offsets share its transaction, one writes at a time."""

from dataclasses import replace

import msgspec
import psycopg
import pytest
from psycopg import sql

from schemas.records import DERIVED_TYPES, Derived, Downtime, Quality, Record, Sample, State, Tick, Value
from sinks.base import Retryable, Taken
from sinks.historian.tables import rows, tables
from tests.harness.records import EXAMPLES, PATH, T
from tests.integration.sinks.historian.database import RAW, Database, delivery, run, samples
from uns.testing import delivery as downtime_delivery
from uns.testing import downtime


def test_every_type_is_read_back_as_it_was(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        deliveries = [delivery(record, offset) for offset, record in enumerate(EXAMPLES)]
        assert await sink.write(deliveries, {(RAW, 1): len(EXAMPLES)}) == []
        await sink.close()
        for one in deliveries:
            if (found := rows(one)) is None:
                assert isinstance(one.record, Tick)
                continue
            table, wanted = found
            names = sql.SQL(", ").join(map(sql.Identifier, table.names))
            with psycopg.connect(database.dsn, options="-c timezone=UTC") as c:
                query = sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(database.schema, table.name))
                stored = c.execute(query).fetchall()
            is_json = [column.type.startswith("jsonb") for column in table.columns]
            unpacked = [
                tuple(msgspec.json.decode(v) if j and v else v for v, j in zip(row, is_json, strict=True))
                for row in wanted
            ]
            assert len(stored) == len(unpacked)
            assert all(row in stored for row in unpacked)

    run(go())


def test_extremes(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        values: list[Value] = [
            2**63 - 1,
            -(2**63),
            5e-324,
            float("inf"),
            float("nan"),
            "x" * 100_000,
            "\u2028\\N\t\n;",
            "",
        ]
        found = [Sample(f"t{n}", T + n, value, 0xFFFFFFFF) for n, value in enumerate(values)]
        assert await sink.write([delivery(samples(*found), 2**62)], {(RAW, 1): 2**62 + 1}) == []
        assert await sink.positions() == {(RAW, 1): 2**62 + 1}
        stored = database.ask(
            "SELECT tag, at, value_integer, value_number, value_text, quality FROM samples ORDER BY at"
        )
        assert [row[2] for row in stored[:2]] == [2**63 - 1, -(2**63)]
        assert [repr(row[3]) for row in stored[2:5]] == ["5e-324", "inf", "nan"]
        assert [row[4] for row in stored[5:]] == values[5:]
        assert [row[1].microsecond for row in stored] == list(range(len(values)))
        assert {row[5] for row in stored} == {0xFFFFFFFF}
        await sink.close()

    run(go())


@pytest.mark.parametrize("together", [True, False])
def test_of_two_values_at_one_moment_the_later_in_the_log_stays(database: Database, together: bool) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        first, second = (
            delivery(samples(Sample("a", T, 1)), 7),
            delivery(samples(Sample("a", T, 2), Sample("b", T, 3)), 8),
        )
        batches = [[first, second]] if together else [[first], [second]]
        for batch in [*batches, [first]]:  # and a repetition of the earlier one changes nothing
            assert await sink.write(batch, {}) == []
        wanted = [("a", 2, 8), ("b", 3, 8)]
        assert database.ask("SELECT tag, value_integer, kafka_offset FROM samples ORDER BY tag") == wanted
        # Offsets of another partition or topic compare with nothing: what comes later counts.
        assert await sink.write([delivery(samples(Sample("a", T, 4)), 1, partition=0)], {}) == []
        assert await sink.write([delivery(samples(Sample("b", T, 5)), 1, topic="uns.acme.dallas.raw")], {}) == []
        assert database.ask("SELECT tag, value_integer, kafka_offset FROM samples ORDER BY tag") == [
            ("a", 4, 1),
            ("b", 5, 1),
        ]
        await sink.close()

    run(go())


def test_revisions_are_kept_and_the_view_shows_the_newest(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        revisions = [downtime(1, revision, f"reason {revision}") for revision in (0, 10, 9, 2)]
        others = [downtime(2)]
        assert await sink.write([downtime_delivery(r, n) for n, r in enumerate([*revisions, *others])], {}) == []
        assert [r for (r,) in database.ask("SELECT revision FROM downtime ORDER BY 1")] == [0, 0, 2, 9, 10]
        latest = database.ask("SELECT natural_id, revision, reason FROM downtime_latest ORDER BY started_at")
        assert latest == [(revisions[0].natural_id, 10, "reason 10"), (others[0].natural_id, 0, "jam")]
        await sink.close()

    run(go())


def test_every_derived_class_has_its_view(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        await sink.write([delivery(r, n) for n, r in enumerate(EXAMPLES) if isinstance(r, Derived)], {})
        views = {name for (name,) in database.ask("SELECT viewname FROM pg_views WHERE schemaname = current_schema()")}
        latest = {name for name in views if name.endswith("_latest")}
        assert latest == {f"{table.name}_latest" for table in tables() if "revision" in table.names}
        assert len(latest) == len(DERIVED_TYPES)
        await sink.close()

    run(go())


def test_a_fact_is_replaced_by_a_later_word_on_it(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        [order] = [r for r in EXAMPLES if type(r).__name__ == "Order"]
        later = msgspec.structs.replace(order, product="lemonade")
        other = "acme/dallas/packaging/line-2"
        await sink.write([delivery(order, 1), delivery(later, 2), delivery(order, 3, key=other)], {})
        stored = database.ask("SELECT path, id, product FROM fact_order ORDER BY path")
        assert stored == [(PATH, "4711", "lemonade"), (other, "4711", "cola")]
        await sink.close()

    run(go())


def test_offsets_share_the_transaction_and_never_go_backwards(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        assert await sink.positions() == {}
        await sink.write([delivery(samples(Sample("a", T, 1)), 9)], {(RAW, 1): 10, (RAW, 0): 3})
        await sink.write([], {(RAW, 1): 5, (RAW, 0): 4})
        await sink.close()
        again, other = database.sink(), database.sink("another")
        await again.open()
        await other.open()  # a sink of another name has positions and a lock of its own
        assert await again.positions() == {(RAW, 1): 10, (RAW, 0): 4}
        assert await other.positions() == {}
        # A transaction that cannot end moves nothing: neither rows nor offsets.
        database.ask("ALTER TABLE sink_offset ADD CONSTRAINT full_up CHECK (next_offset < 100)")
        with pytest.raises(Retryable, match="full_up"):
            await again.write([delivery(samples(Sample("a", T + 1, 2)), 100)], {(RAW, 1): 101})
        assert database.ask("SELECT count(*) FROM samples") == [(1,)]
        assert await again.positions() == {(RAW, 1): 10, (RAW, 0): 4}
        await again.close()
        await other.close()

    run(go())


def test_a_second_instance_is_refused_while_the_first_has_the_lock(database: Database) -> None:
    async def go() -> None:
        first, second = database.sink(), database.sink()
        await first.open()
        with pytest.raises(Taken, match="another instance"):
            await second.open()
        with pytest.raises(Retryable):
            await second.write([delivery(samples(Sample("a", T, 1)), 1)], {})
        await first.close()
        await second.open()
        with pytest.raises(Taken):
            await first.open()
        await second.close()

    run(go())


def test_a_killed_connection_is_retryable_and_reopening_goes_on(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        batch = [delivery(samples(Sample("a", T, 1)), 1)]
        for _ in range(2):
            database.terminate()
            with pytest.raises(Retryable, match=r"terminat|closed|connection"):
                await sink.write(batch, {(RAW, 1): 2})
            with pytest.raises(Retryable):
                await sink.positions()
            await sink.open()
        assert await sink.positions() == {}
        assert await sink.write(batch, {(RAW, 1): 2}) == []
        assert await sink.positions() == {(RAW, 1): 2}
        await sink.close()

    run(go())


def test_only_what_a_record_is_guilty_of_rejects_it(database: Database) -> None:
    good = [delivery(samples(Sample("a", T + n, n)), n) for n in range(50)]
    bad: dict[str, Record] = {
        "nul": samples(Sample("a\x00", T, 1)),
        "nul value": samples(Sample("a", T, "\x00")),
        "no calendar has it": samples(Sample("a", 2**62, 1)),
        "too long for an index": samples(Sample("".join(chr(0x4E00 + n * 7 % 20000) for n in range(9000)), T, 1)),
        "nul in json": next(
            msgspec.structs.replace(r, inputs=msgspec.structs.replace(r.inputs, topic="\x00"))
            for r in EXAMPLES
            if isinstance(r, State)
        ),
    }  # fmt: skip

    async def go() -> None:
        sink = database.sink()
        await sink.open()
        deliveries = list(good)
        for n, record in enumerate(bad.values()):
            deliveries.insert(n * 9 + 3, delivery(record, 1000 + n))
        rejected = await sink.write(deliveries, {(RAW, 1): 2000})
        assert [one.delivery.record for one in rejected] == list(bad.values())
        reasons = [one.reason for one in rejected]
        assert reasons == ["postgres_data", "postgres_data", "postgres_data", "postgres_54000", "postgres_22P05"]
        assert all(one.message for one in rejected)
        assert database.ask("SELECT count(*) FROM samples") == [(len(good),)]
        assert await sink.positions() == {(RAW, 1): 1000}
        # A table that is gone, or a database that takes no writes, is not the record's fault.
        database.ask("DROP TABLE sample_chunk CASCADE")
        with pytest.raises(Retryable, match="sample_chunk"):
            await sink.write(good, {(RAW, 1): 2000})
        await sink.open()  # makes it anew
        assert await sink.write(good, {(RAW, 1): 2000}) == []
        await sink.close()

    run(go())


def test_a_database_that_only_reads_is_retryable(database: Database) -> None:
    async def go() -> None:
        first = database.sink()
        await first.open()
        await first.close()
        sink = database.sink(dsn=f"{database.dsn}?options=-c%20default_transaction_read_only%3Don")
        with pytest.raises(Retryable, match="read-only"):
            await sink.open()

    run(go())


def test_a_table_of_an_older_release_gets_the_new_columns(database: Database) -> None:
    async def go() -> None:
        first = database.sink()
        await first.open()
        await first.write([downtime_delivery(downtime(1), 1)], {})
        await first.close()
        database.ask("ALTER TABLE downtime DROP COLUMN category CASCADE")
        second = database.sink()
        await second.open()
        assert await second.write([downtime_delivery(downtime(2), 2)], {}) == []
        assert database.ask("SELECT category FROM downtime_latest ORDER BY started_at") == [(None,), ("micro",)]
        await second.close()

    run(go())


def test_the_order_of_deliveries_of_one_batch_does_not_decide(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        late, early = delivery(samples(Sample("a", T, 2)), 9), delivery(samples(Sample("a", T, 1)), 8)
        assert await sink.write([late], {}) == []
        assert await sink.write([early], {}) == []
        assert database.ask("SELECT value_integer FROM samples") == [(2,)]
        assert await sink.write([replace(late, offset=10), replace(late, offset=11)], {}) == []
        assert database.ask("SELECT kafka_offset FROM samples") == [(11,)]
        await sink.close()

    run(go())


def test_unset_and_nan_numbers(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        [quality] = [r for r in EXAMPLES if isinstance(r, Quality)]
        record = msgspec.structs.replace(quality, value=float("nan"), mean=None, rules=(), ended_at=None)
        assert await sink.write([delivery(record, 1)], {}) == []
        [row] = database.ask("SELECT value::text, mean, rules, ended_at FROM quality")
        assert row == ("NaN", None, [], None)
        assert isinstance(downtime(1), Downtime)
        await sink.close()

    run(go())
