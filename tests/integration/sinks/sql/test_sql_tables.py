"""Tables that the SQL sink makes: every value read back as it was, corrections followed, columns added."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.records import DERIVED_TYPES, FACT_TYPES, Derived, Sample, Value
from sinks.kit.rows import Kind, rows, shapes
from tests.harness.records import EXAMPLES, T
from tests.integration.sinks.sql.databases import RAW, Database, ask, delivery, mapping, run, samples, sink
from uns.testing import delivery as downtime_delivery
from uns.testing import downtime

RECORDS = ("samples", *(kind.__name__.lower() for kind in (*FACT_TYPES, *DERIVED_TYPES)))


def quoted(database: Database, names: Sequence[str]) -> str:
    letter = "`" if database.scheme == "mariadb" else '"'
    return ", ".join(f"{letter}{name}{letter}" for name in names)


def as_told(value: Any, kind: Kind) -> Any:
    """What a driver gave, in our terms."""
    if value is None:
        return None
    match kind:
        case Kind.TIME:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        case Kind.BOOLEAN:
            assert value in (0, 1)
            return bool(value)
        case Kind.JSON:
            return json.loads(value)
        case Kind.INTEGER:
            assert isinstance(value, int | Decimal)
            return int(value)
    return value


def test_every_record_is_read_back_value_by_value(database: Database) -> None:
    async def go() -> None:
        tables = [mapping(database, record) for record in RECORDS]
        one = sink(database, *tables)
        await one.open()
        deliveries = [delivery(record, offset) for offset, record in enumerate(EXAMPLES)]
        assert await one.write(deliveries, {(RAW, 1): len(EXAMPLES)}) == []
        assert await one.positions() == {(RAW, 1): len(EXAMPLES)}
        await one.close()
        wanted = [(type(each.record).__name__.lower(), row) for each in deliveries for row in rows(each)]
        assert len(wanted) > 20
        for record in RECORDS:
            columns = shapes()[record].columns
            names = quoted(database, [column.name for column in columns])
            stored = [
                {column.name: as_told(value, column.kind) for column, value in zip(columns, row, strict=True)}
                for row in ask(database, f"SELECT {names} FROM {database.name(f'uns_{record}')}")
            ]
            # A derived record that was withdrawn is none.
            mine = [row for name, row in wanted if name == record and not row.get("withdrawn")]
            assert len(stored) == len(mine)
            for row in mine:
                assert json.loads(json.dumps(row, default=str)) in [
                    json.loads(json.dumps(s, default=str)) for s in stored
                ]

    run(go())


def test_extremes(database: Database) -> None:
    values: list[Value] = [2**63 - 1, -(2**63), 5e-324, 1.7976931348623157e308, -0.0, math.inf, math.nan, None]
    values += ["x" * 100_000, "\u2028\\N\t\n;'\"`", "", "🏭 Füller", True, False, 0.1]

    async def go() -> None:
        one = sink(database, mapping(database, "samples"))
        await one.open()
        found = [Sample(f"Tag {n}", T + n, value, 0xFFFFFFFF) for n, value in enumerate(values)]
        assert await one.write([delivery(samples(*found), 2**62)], {(RAW, 1): 2**62 + 1}) == []
        assert await one.positions() == {(RAW, 1): 2**62 + 1}
        await one.close()
        stored = ask(
            database,
            f"SELECT value_integer, value_number, value_text, value_boolean, quality FROM {database.name('uns_samples')} ORDER BY at",
        )
        assert [row[0] for row in stored[:2]] == [2**63 - 1, -(2**63)]
        assert [row[1] for row in stored[2:4]] == [5e-324, 1.7976931348623157e308]
        assert [row[1] if row[1] is not None else row[2] for row in stored[5:7]] in (
            ["inf", "nan"],
            [math.inf, pytest.approx(math.nan, nan_ok=True)],
        )
        assert stored[7][:4] == (None, None, None, None)
        assert [row[2] for row in stored[8:12]] == values[8:12]
        assert [bool(row[3]) for row in stored[12:14]] == [True, False]
        assert stored[14][1] == 0.1
        assert {row[4] for row in stored} == {0xFFFFFFFF}

    run(go())


def test_keys_that_differ_in_case_or_a_space_are_two(database: Database) -> None:
    async def go() -> None:
        one = sink(database, mapping(database, "samples"))
        await one.open()
        tags = ["Good", "good", "good ", "göod", "good\t"]
        assert await one.write([delivery(samples(*(Sample(tag, T, 1) for tag in tags)), 1)], {}) == []
        await one.close()
        assert sorted(ask(database, f"SELECT tag FROM {database.name('uns_samples')}")) == sorted(
            (tag,) for tag in tags
        )

    run(go())


@pytest.mark.parametrize("together", [True, False])
def test_an_older_revision_never_overwrites_and_a_withdrawn_one_goes(database: Database, together: bool) -> None:
    withdrawn = replace_(downtime(3, 2), ended_at=downtime(3).started_at)
    records = [downtime(1, 2, "c"), downtime(1, 0, "a"), downtime(1, 1, "b"), downtime(2, 0, "a"), downtime(2, 1, "b")]
    records += [downtime(3, 0), withdrawn, downtime(4, 0), replace_(downtime(4, 1), ended_at=downtime(4).started_at)]
    records += [downtime(4, 2, "back again")]

    async def go() -> None:
        one = sink(database, mapping(database, "downtime"))
        await one.open()
        deliveries = [downtime_delivery(record, offset) for offset, record in enumerate(records)]
        for part in [deliveries] if together else [[each] for each in deliveries]:
            assert await one.write(part, {(part[-1].topic, 0): part[-1].offset + 1}) == []
        await one.close()
        query = f"SELECT revision, reason FROM {database.name('uns_downtime')} ORDER BY natural_id"
        assert ask(database, query) == [(2, "c"), (1, "b"), (2, "back again")]

    run(go())


def replace_(record: Any, **more: Any) -> Any:
    return msgspec.structs.replace(record, **more)


@pytest.mark.parametrize("together", [True, False])
def test_marked_instead_of_deleted(database: Database, together: bool) -> None:
    async def go() -> None:
        one = sink(database, mapping(database, "downtime", on_withdrawn="mark", when={"category": "breakdown"}))
        await one.open()
        broken = [replace_(downtime(n), category="breakdown") for n in (1, 2)]
        micro = [replace_(downtime(1, 1), category="micro"), downtime(5)]  # the second never was one of these
        gone = [replace_(broken[1], revision=1, ended_at=broken[1].started_at)]
        deliveries = [downtime_delivery(record, n) for n, record in enumerate([*broken, *micro, *gone])]
        for part in [deliveries] if together else [[each] for each in deliveries]:
            assert await one.write(part, {}) == []
        await one.close()
        stored = ask(
            database, f"SELECT category, withdrawn, revision FROM {database.name('uns_downtime')} ORDER BY natural_id"
        )
        assert [(row[0], bool(row[1]), row[2]) for row in stored] == [("micro", True, 1), ("breakdown", True, 1)]

    run(go())


def test_a_table_of_an_older_release_gets_the_columns_that_it_lacks(database: Database) -> None:
    async def go() -> None:
        one = sink(database, mapping(database, "oee"))
        await one.open()
        await one.close()
        table = database.name("uns_oee")
        ask(database, f"ALTER TABLE {table} DROP COLUMN coverage", f"ALTER TABLE {table} DROP COLUMN element_us")
        await one.open()
        found = next(record for record in EXAMPLES if type(record).__name__ == "Oee")
        assert isinstance(found, Derived)
        assert await one.write([delivery(found, 1)], {}) == []
        await one.close()
        [(coverage, elements)] = ask(database, f"SELECT coverage, element_us FROM {table}")
        assert coverage == found.coverage  # type: ignore[attr-defined]
        assert json.loads(elements) == found.element_us  # type: ignore[attr-defined]

    run(go())
