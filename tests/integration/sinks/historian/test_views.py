"""What people read: state now, OEE and KPI by window, stops and their causes, what was known when; and who may read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from schemas.records import Changeover, Current, Cycle, Derived, Kpi, Oee, Order, Production, Reason, Record, Sample
from sinks.base import Delivery
from sinks.historian import spec
from sinks.historian.names import TagNote
from sinks.historian.tables import micros, moment
from tests.harness.records import EXAMPLES, PATH, T
from tests.integration.sinks.historian.database import RAW, Database, delivery, run, samples
from uns.testing import downtime

MINUTE_US = 60_000_000


def example(kind: type[Record], **more: Any) -> Any:
    [found] = [each for each in EXAMPLES if type(each) is kind]
    return msgspec.structs.replace(found, **more)


def known(record: Record, offset: int, at: int = T, key: str = PATH) -> Delivery:
    return replace(delivery(record, offset, key=key), ingested_at=at)


async def written(database: Database, *deliveries: Delivery, **config: Any) -> None:
    sink = database.sink(**config)
    await sink.open()
    assert await sink.write(deliveries, {}) == []
    await sink.close()


def test_every_view_and_function_answers(database: Database) -> None:
    run(written(database, *(delivery(each, n) for n, each in enumerate(EXAMPLES))))
    views = database.ask("SELECT viewname::text FROM pg_views WHERE schemaname = current_schema()")
    assert len(views) > 30
    filled = {name for (name,) in views if database.ask(f'SELECT * FROM "{name}"')}
    empty = {"samples_replaced", "oee_by_shift", "oee_by_order", "kpi_by_hour", "kpi_by_order", "kpi_by_day"}
    assert {name for (name,) in views} - filled == empty
    functions = database.ask(
        "SELECT proname::text FROM pg_proc WHERE pronamespace = to_regnamespace(current_schema())::oid AND proname LIKE '%known_at'"
    )
    for (name,) in functions:
        assert database.ask(f"SELECT * FROM \"{name}\"('2100-01-01')"), name
        assert database.ask(f"SELECT * FROM \"{name}\"('2001-01-01')") == [], name


def test_places_and_tags_have_their_levels_types_roles_and_units(database: Database) -> None:
    async def go() -> None:
        sink = database.sink()
        sink.notes = {PATH: {"Energy": TagNote("energy", "kWh"), "State": TagNote("state")}}
        await sink.open()
        found = [
            Sample("State", T, "run"),
            Sample("Energy", T, 1.5),
            Sample("Other", T, None, 2**31),
            Sample("On", T, True),
        ]
        assert await sink.write([delivery(samples(*found), 1)], {}) == []
        assert database.ask("SELECT tag, type, role, unit FROM tags ORDER BY tag") == [
            ("Energy", "number", "energy", "kWh"), ("On", "boolean", None, None), ("Other", None, None, None), ("State", "text", "state", None),
        ]  # fmt: skip
        database.ask("UPDATE tag SET description = 'of the main meter' WHERE name = 'Energy'")
        sink.notes = {PATH: {"Energy": TagNote("energy", "MWh")}}
        await sink.open()
        assert database.ask("SELECT unit, description FROM tags WHERE tag = 'Energy'") == [("MWh", "of the main meter")]
        # A type is known as soon as there is a value.
        assert await sink.write([delivery(samples(Sample("Other", T + 1, 7)), 2)], {}) == []
        assert database.ask("SELECT type FROM tags WHERE tag = 'Other'") == [("integer",)]
        assert database.ask("SELECT path, level, line, cell FROM location ORDER BY path") == [
            ("acme", "enterprise", None, None), ("acme/dallas", "site", None, None), ("acme/dallas/packaging", "area", None, None),
            ("acme/dallas/packaging/line-1", "line", "line-1", None), (PATH, "cell", "line-1", "filler"),
        ]  # fmt: skip
        await sink.close()

    run(go())


def test_oee_and_kpis_by_window_have_their_coverage_and_only_the_newest_word(database: Database) -> None:
    oee, kpi = example(Oee), example(Kpi)
    shift = msgspec.structs.replace(
        oee, id=f"{PATH}#oee.shift@1~d:0", window="shift", window_name="early", coverage=0.75, observed_us=3 * MINUTE_US
    )
    corrected = msgspec.structs.replace(shift, id=f"{PATH}#oee.shift@1~d:1", revision=1, status="corrected", oee=0.9)
    withdrawn = msgspec.structs.replace(oee, id=oee.id[:-1] + "1", revision=1, ended_at=oee.started_at)
    line = msgspec.structs.replace(
        kpi, id="acme#kpi.day@1~d:0", path="acme", window="day", window_name="2026-11-18", coverage=0.5
    )
    run(written(database, *(delivery(each, n) for n, each in enumerate([oee, shift, corrected, withdrawn, kpi, line]))))
    assert database.ask("SELECT oee, coverage, observed_s, status FROM oee_by_shift") == [
        (0.9, 0.75, 180.0, "corrected")
    ]
    assert database.ask("SELECT * FROM oee_by_hour") == []
    assert database.ask("SELECT path, level, oee, coverage FROM kpi_by_day") == [("acme", "enterprise", 0.5, 0.5)]
    assert database.ask("SELECT kpi, value FROM kpi_values WHERE path = 'acme' ORDER BY 1") == [
        ("mtbf", None),
        ("oee", 0.5),
    ]


def test_stops_and_where_the_time_went(database: Database) -> None:
    def stop(number: int, seconds: int, reason: str, revision: int = 0, **more: Any) -> Any:
        record = downtime(number, revision, reason)
        return msgspec.structs.replace(record, **{"ended_at": record.started_at + seconds * 1_000_000, **more})

    found = [
        stop(1, 30, "jam"),
        stop(1, 20, "drive", revision=1),
        stop(3, 50, "jam"),
        stop(4, 0, "jam"),
        stop(5, 30, "jam"),
    ]
    run(written(database, *(delivery(each, n) for n, each in enumerate(found))))
    assert database.ask("SELECT reason, stopped_s FROM stops ORDER BY started_at") == [
        ("drive", 20.0),
        ("jam", 50.0),
        ("jam", 30.0),
    ]
    since, until = moment(found[0].started_at), moment(found[-1].started_at + 10_000_000)
    pareto = database.ask(
        f"SELECT reason, stops, stopped_s, share, cumulative FROM stops_pareto('acme/dallas', '{since}', '{until}')"
    )
    assert pareto == [("jam", 2, 60.0, 0.75, 0.75), ("drive", 1, 20.0, 0.25, 1.0)]
    assert database.ask(f"SELECT * FROM stops_pareto('acme/dal', '{since}', '{until}')") == []


def test_what_was_known_at_a_time(database: Database) -> None:
    revisions = [downtime(1, number, f"reason {number}") for number in range(3)]
    run(written(database, *(known(each, n, T + n * MINUTE_US) for n, each in enumerate(revisions))))
    for after_us, reason in [
        (0, "reason 0"),
        (MINUTE_US - 1, "reason 0"),
        (MINUTE_US, "reason 1"),
        (5 * MINUTE_US, "reason 2"),
    ]:
        assert database.ask(f"SELECT reason FROM downtime_known_at('{moment(T + after_us)}')") == [(reason,)]
    assert database.ask(f"SELECT reason FROM downtime_known_at('{moment(T - 1)}')") == []


def test_every_word_on_a_fact_is_kept(database: Database) -> None:
    order, reason = example(Order), example(Reason)
    words = [
        known(order, 1),
        known(msgspec.structs.replace(order, product="lemonade"), 2, T + 1),
        known(reason, 3),
        known(order, 2, T + 1),
    ]
    run(written(database, *words))
    run(written(database, *words[:2]))
    said = database.ask("SELECT fact, id, said ->> 'product', known_at FROM fact_history ORDER BY kafka_offset")
    assert [row[:2] for row in said] == [("Order", "4711"), ("Order", "4711"), ("Reason", "R1")]
    assert said[0][2:] == ("cola", moment(T))


def test_state_now_counts_changeovers_and_cycles(database: Database) -> None:
    current = example(Current)
    later = msgspec.structs.replace(
        current, id=f"{PATH}#current@2~d:0", started_at=current.started_at + 1, state="held", coverage=0.5
    )
    production = [
        example(
            Production, id=f"{PATH}#production@{n}~d:0", started_at=T + n * MINUTE_US, ended_at=T + (n + 1) * MINUTE_US
        )
        for n in range(3)
    ]
    run(
        written(
            database,
            *(
                delivery(each, n)
                for n, each in enumerate([later, current, example(Changeover), example(Cycle), *production])
            ),
        )
    )
    assert database.ask("SELECT path, state, coverage FROM state_now") == [(PATH, "held", 0.5)]
    assert database.ask("SELECT good, scrap FROM counts_by_hour") == [(30, 3)]
    assert [float(n) for (n,) in database.ask("SELECT took_s FROM changeovers")] == [60.0]
    assert [float(n) for (n,) in database.ask("SELECT median_s FROM cycle_statistics")] == [6.0]


def test_a_reader_reads_everything_and_writes_nothing(database: Database) -> None:
    reader = f"{database.schema}_reader"
    database.ask(f"CREATE ROLE {reader} LOGIN")
    try:
        run(written(database, *(delivery(each, n) for n, each in enumerate(EXAMPLES)), readers=[reader]))
        with psycopg.connect(
            database.dsn.replace("uns@", f"{reader}@"), autocommit=True, options=f"-c search_path={database.schema}"
        ) as c:
            for (name,) in database.ask("SELECT viewname::text FROM pg_views WHERE schemaname = current_schema()"):
                c.execute(f'SELECT * FROM "{name}"'.encode())
            assert c.execute("SELECT count(*) FROM samples").fetchall() == [(5,)]
            assert c.execute(
                f"SELECT count(*) FROM samples_between('{PATH}', 'Speed', '2026-01-01', '2027-01-01')".encode()
            ).fetchall() == [(1,)]
            for query in ("DELETE FROM downtime", "INSERT INTO location (path) VALUES ('x')", "UPDATE sink_offset SET next_offset = 0",
                          "TRUNCATE sample_chunk", "DROP VIEW stops", "CREATE TABLE mine (n int)", "DELETE FROM samples"):  # fmt: skip
                with pytest.raises(psycopg.Error, match=r"permission denied|must be owner|cannot delete from view"):
                    c.execute(query.encode())
        run(written(database, readers=[reader]))
    finally:
        database.ask(f"DROP OWNED BY {reader} CASCADE; DROP ROLE {reader}")


def test_a_reader_that_is_no_role_is_named(database: Database) -> None:
    from sinks.base import Retryable

    with pytest.raises(Retryable, match='role "nobody_here" does not exist'):
        run(written(database, readers=["nobody_here"]))


def test_partitions_are_made_ahead_and_dropped_after_their_time(database: Database) -> None:
    now = datetime.now(UTC)
    days = [micros(now - timedelta(days=n)) for n in (0, 20, 40, 400)]

    async def go() -> None:
        sink = database.sink()
        await sink.open()
        found = [Sample("a", at, 1.0) for at in [*days, 0, micros(datetime(9999, 1, 1, tzinfo=UTC))]]
        stops = [
            msgspec.structs.replace(downtime(n), id=f"{PATH}#downtime@{n}~d:0", started_at=at, ended_at=at + 1)
            for n, at in enumerate(days)
        ]
        assert (
            await sink.write(
                [delivery(samples(*found), 1), *(delivery(stop, 2 + n) for n, stop in enumerate(stops))], {}
            )
            == []
        )
        await sink.close()
        names = {
            name
            for (name,) in database.ask("SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r'")
        }
        assert {"sample_chunk_before_2000", "sample_chunk_after_2100"} <= names
        ahead = database.ask(
            "SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE 'oee%' AND relnamespace = to_regnamespace(current_schema())::oid"
        )
        assert ahead == [(2,)], "this one and the next"
        keeps = database.sink(retention_days={"raw": 30, "downtime": 100})
        await keeps.open()
        ages = sorted(
            (now - at).days
            for (at,) in database.ask("SELECT at FROM samples WHERE at BETWEEN '2001-01-01' AND '2099-01-01'")
        )
        assert ages in ([0, 20], [0, 20, 40]) or ages[:2] == [0, 20], "whole partitions alone"
        assert 400 not in ages
        assert database.ask("SELECT count(*) FROM samples") == [(len(ages) + 2,)], (
            "a time that is nonsense is nobody's age"
        )
        assert database.ask("SELECT count(*) FROM downtime") == [(3,)]
        # What is late all the same is taken, and goes with the next round.
        assert await keeps.write([delivery(samples(Sample("a", days[-1], 2.0)), 9)], {}) == []
        assert database.ask("SELECT count(*) FROM samples") == [(len(ages) + 3,)]
        await keeps.close()

    run(go())


def test_a_reader_of_what_is_to_be_dropped_keeps_nothing_else_waiting(database: Database) -> None:
    async def go() -> None:
        old = micros(datetime.now(UTC) - timedelta(days=400))
        sink = database.sink()
        await sink.open()
        await sink.write([delivery(samples(Sample("a", old, 1.0)), 1)], {})
        await sink.close()
        keeps = database.sink(retention_days={"raw": 30})
        with psycopg.connect(database.dsn) as reader:
            reader.execute(f"SELECT * FROM {database.schema}.samples".encode())
            await keeps.open()
            assert await keeps.write([delivery(samples(Sample("a", old + 1, 1.0)), 2)], {}) == []
            assert database.ask("SELECT count(*) FROM samples") == [(2,)]
        await keeps.open()
        assert database.ask("SELECT count(*) FROM samples") == [(0,)]
        await keeps.close()

    run(go())


def test_another_width_of_partitions_fits_between_those_that_are_there(database: Database) -> None:
    async def go() -> None:
        for n, width in enumerate((7, 3, 30)):
            sink = database.sink(partition_days=width)
            await sink.open()
            day = 86_400_000_000
            found = [Sample("a", T + k * day * (3 + n), float(k)) for k in range(-20, 20)]
            assert await sink.write([delivery(samples(*found), n)], {(RAW, 1): n}) == []
            await sink.close()

    run(go())
    [(count, distinct)] = database.ask("SELECT count(*), count(DISTINCT at) FROM samples")
    assert count == distinct == len({k * (3 + n) for n in range(3) for k in range(-20, 20)})


def test_one_record_is_shown_before_it_is_written(database: Database) -> None:
    config = spec.config.model_validate({"dsn": database.dsn, "schema_name": database.schema})
    one = delivery(downtime(1), 5)
    assert spec.trial is not None
    [told] = spec.trial.tell(config, one)
    assert told["table"] == f"{database.schema}.downtime"
    assert told["row"]["reason"] == "jam"

    async def go() -> None:
        assert spec.trial is not None
        [sent] = await spec.trial.send("historian", config, Path("nowhere"), one)
        assert sent["outcome"] == "written"
        refused = await spec.trial.send("historian", config, Path("nowhere"), delivery(downtime(2, reason="a\x00b"), 6))
        assert refused[0]["outcome"] == "rejected"
        assert "NUL" in refused[0]["message"]

    run(go())
    assert database.ask("SELECT reason FROM downtime") == [("jam",)]
    assert isinstance(one.record, Derived)
