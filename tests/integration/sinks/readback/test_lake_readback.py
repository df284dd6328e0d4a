"""`uns sink verify` of a lake: all is as wanted, and what another hand took out, doubled or changed is named."""

from pathlib import Path

from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog import load_catalog

from schemas.records import FACT_TYPES
from sinks.base import Delivery
from tests.harness.records import EXAMPLES
from tests.harness.spoiled import Verified, told_of
from tests.integration.sinks.readback.many import PATH, some_of_all, stops
from topology.namespace.classes import MessageClass
from uns.testing.sinks import T


def test_of_many_rows_one_is_missing_one_twice_and_one_changed(tmp_path: Path) -> None:
    url = tmp_path / "lake"

    def spoil() -> None:
        table = DeltaTable(url / "downtime")
        twice = table.to_pyarrow_table(filters=[("kafka_offset", "=", 20)])
        table.delete("kafka_offset = 10")
        table.update(predicate="kafka_offset = 30", new_values={"reason": "another"})
        write_deltalake(url / "downtime", twice, mode="append")

    verified = Verified("lake", {"url": str(url), "commit_s": 0}, tmp_path / "state")
    assert told_of(verified, stops(150), spoil) == [
        ("missing", f"downtime t/0/10 {PATH}"),
        ("twice", f"downtime t/0/20 {PATH}"),
        ("different", f"downtime t/0/30 {PATH}"),
    ]


def test_records_of_every_kind_and_facts(tmp_path: Path) -> None:
    made = some_of_all()
    facts = [
        Delivery("facts", 0, offset, PATH, MessageClass.RAW, each, T)
        for offset, each in enumerate(EXAMPLES)
        if isinstance(each, FACT_TYPES)
    ]
    assert len(facts) > 5
    verified = Verified("lake", {"url": str(tmp_path / "lake"), "commit_s": 0}, tmp_path / "state")
    verified.write([*made, *facts])
    count, differences, beyond = verified.differences([*made, *facts])
    assert count > 500
    assert (differences, beyond) == ([], 0)


def test_of_a_span_the_days_around_are_not_asked(tmp_path: Path) -> None:
    found = stops(3 * 1440)  # a stop a minute
    verified = Verified("lake", {"url": str(tmp_path / "lake"), "commit_s": 0}, tmp_path / "state")
    verified.write(found)
    begin, end = found[1500].record.started_at, found[1600].record.started_at  # type: ignore[union-attr]
    assert verified.differences(found, begin, end) == (100, [], 0)
    assert verified.differences(found[:1550], begin, end) == (50, [], 50)


def test_iceberg_with_records_of_every_kind(tmp_path: Path) -> None:
    url = tmp_path / "lake"
    config = {"url": str(url), "format": "iceberg", "catalog": f"sqlite:///{url}/catalog.db", "commit_s": 0}
    found, verified = some_of_all(), Verified("lake", config, tmp_path / "state")
    verified.write(found)
    count, differences, beyond = verified.differences(found)
    assert count > 500
    assert (differences, beyond) == ([], 0)
    table = load_catalog("uns", type="sql", uri=f"sqlite:///{url}/catalog.db").load_table("uns.downtime")
    table.delete("kafka_offset = 3")
    table.append(table.scan(row_filter="kafka_offset = 7").to_arrow())
    assert [each.kind for each in verified.differences(found)[1]] == ["missing", "twice"]
