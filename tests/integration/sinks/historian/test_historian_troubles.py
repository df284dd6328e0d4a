"""The historian where the database is slow, locked, full of connections, or of an older shape: nothing lost, and said why."""

import psycopg
import pytest
from psycopg import sql

from schemas.records import Sample
from sinks.base import Retryable
from tests.harness.records import T
from tests.integration.sinks.historian.database import RAW, Database, delivery, run, samples
from uns.testing import delivery as downtime_delivery
from uns.testing import downtime


def test_a_batch_that_takes_too_long_is_halved_and_nothing_is_lost_or_twice(database: Database) -> None:
    """The server itself is slow: each row sleeps, so that so many of them run into the statement's time-out."""

    async def go() -> None:
        sink = database.sink(statement_timeout_s=0.5)
        await sink.open()
        database.ask(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$"
        )
        database.ask("CREATE TRIGGER slow BEFORE INSERT ON sample_chunk FOR EACH ROW EXECUTE FUNCTION slow()")
        batch = [delivery(samples(Sample(f"t{n}", T + n, n)), n) for n in range(60)]
        assert await sink.write(batch, {(RAW, 1): 60}) == []
        assert database.ask("SELECT count(*), count(DISTINCT at) FROM samples") == [(60, 60)]
        assert await sink.positions() == {(RAW, 1): 60}
        # One record alone that takes too long is said, and waited for.
        database.ask(
            "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$"
        )
        with pytest.raises(Retryable, match="statement timeout"):
            await sink.write([delivery(samples(Sample("b", T, 1)), 60)], {(RAW, 1): 61})
        assert await sink.positions() == {(RAW, 1): 60}
        await sink.close()

    run(go())


@pytest.mark.parametrize("what", ["write", "open"])
def test_a_lock_that_somebody_holds_is_named_and_waited_for(database: Database, what: str) -> None:
    async def go() -> None:
        sink = database.sink(statement_timeout_s=1)
        await sink.open()
        batch = [delivery(samples(Sample("a", T, 1)), 0)]
        table = "sample_chunk" if what == "write" else "downtime"
        if what == "open":
            database.ask("ALTER TABLE downtime DROP COLUMN category CASCADE")
        with psycopg.connect(database.dsn, application_name="a long report") as other:
            other.execute(
                sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(database.schema, table))
            )
            with pytest.raises(
                Retryable, match=rf"process \d+ \(a long report, user uns\) has AccessExclusiveLock on {table}"
            ):
                await (sink.write(batch, {(RAW, 1): 1}) if what == "write" else sink.open())
        await sink.open()
        assert await sink.write(batch, {(RAW, 1): 1}) == []
        assert database.ask("SELECT count(*) FROM samples") == [(1,)]
        await sink.close()

    run(go())


def test_opening_waits_for_no_reader(database: Database) -> None:
    """A report that reads for hours holds a lock that any change of a table would wait for, and all others behind it."""

    async def go() -> None:
        first = database.sink()
        await first.open()
        await first.close()
        with psycopg.connect(database.dsn) as reader:
            for table in ("samples", "stops", "downtime", "downtime_latest", "tag", "sink_offset"):
                reader.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(database.schema, table)))
            second = database.sink(statement_timeout_s=1)
            await second.open()
            assert await second.write([downtime_delivery(downtime(1), 1)], {(RAW, 1): 2}) == []
            await second.close()

    run(go())


def test_a_view_that_is_there_gets_new_columns_behind_its_own(database: Database) -> None:
    async def go() -> None:
        first = database.sink()
        await first.open()
        await first.close()
        database.ask("ALTER TABLE downtime DROP COLUMN category CASCADE")
        database.ask(
            "CREATE VIEW downtime_latest AS SELECT DISTINCT ON (natural_id) * FROM"
            " (SELECT *, regexp_replace(id, ':[0-9]+$', '') AS natural_id FROM downtime) AS revisions"
            " ORDER BY natural_id, revision DESC"
        )
        database.ask("CREATE VIEW of_somebody AS SELECT natural_id, reason FROM downtime_latest")
        second = database.sink()
        await second.open()
        assert await second.write([downtime_delivery(downtime(1), 1)], {}) == []
        assert database.ask("SELECT category, natural_id FROM downtime_latest") == [("micro", downtime(1).natural_id)]
        assert database.ask("SELECT natural_id FROM of_somebody") == [(downtime(1).natural_id,)]
        await second.close()

    run(go())


def test_no_more_connections_is_named_and_waited_for(database: Database) -> None:
    role = f"{database.schema}_few"
    database.ask(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")

    async def go() -> None:
        sink = database.sink(dsn=database.dsn.replace("uns@", f"{role}@"))
        with pytest.raises(Retryable, match=r"refuses.*too many connections"):
            await sink.open()
        database.ask(f"ALTER ROLE {role} CONNECTION LIMIT 5")
        database.ask(f"GRANT CREATE ON DATABASE uns TO {role}")
        await sink.open()
        assert await sink.write([downtime_delivery(downtime(1), 1)], {}) == []
        await sink.close()

    try:
        run(go())
    finally:
        database.ask(f"DROP OWNED BY {role} CASCADE")
        database.ask(f"DROP ROLE {role}")


def test_rows_and_bytes_of_a_transaction_are_bounded(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        await sink.open()
        batch = [delivery(samples(Sample("a", T + n, "x" * 1_000_000)), n) for n in range(20)]
        assert await sink.write(batch, {(RAW, 1): 20}) == []
        assert database.ask("SELECT count(*) FROM samples") == [(20,)]
        made = database.ask(
            "SELECT sum(length(t)) FROM sample_chunk c CROSS JOIN unnest(c.text) AS t GROUP BY c.xmin::text ORDER BY 1"
        )
        assert made == [(6_000_000,), (7_000_000,), (7_000_000,)], "by what made them"
        await sink.close()

    run(go())
