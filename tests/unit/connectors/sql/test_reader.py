"""The way through the rows, on real SQL: nothing is missed and nothing is told twice, however rows come about."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import StaticPool

from connectors.base import Batch, Malformed, Position, Reading
from connectors.kit import told
from connectors.kit.cursor import entries, places
from connectors.kit.mark import BadMark, Mark, Place, ahead, before, decode
from connectors.sql.config import Query, SqlConfig
from connectors.sql.reader import Answer, BadColumns, Part, QueryReader
from uns.testing.connectors import keep

OPTIONS: dict[str, Any] = {
    "name": "q",
    "table": "t",
    "watermark": "wm",
    "key": ["k"],
    "path": "acme/dallas",
    "at": "at",
    "fields": {"Value": "v"},
    "rows_max": 3,
}
AT = "2026-11-23T06:00:00Z"
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


def empty() -> Connection:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    connection = engine.connect()
    connection.execute(text("CREATE TABLE t (wm INTEGER, k TEXT PRIMARY KEY, v INTEGER, at TEXT)"))
    return connection


def a_pass(database: Connection, reader: QueryReader) -> list[Part]:
    """All that a pass says."""
    found: list[Part] = []
    statement: Any = reader.begin()
    while statement is not None:
        result = database.execute(statement)
        parts, statement = reader.take(Answer(tuple(result.keys()), result.fetchall()), NOW)
        found += parts
    return found


def told_in_a_pass(database: Connection, reader: QueryReader) -> list[tuple[str, Any]]:
    """Tag and value of what a whole pass says."""
    return [(thing.sample.tag, thing.sample.value) for part in a_pass(database, reader) for thing in part.said if isinstance(thing, Reading)]  # fmt: skip


def known(*parts: Part) -> Place | None:
    """What is known of the query behind these, as after a restart."""
    cursor: dict[str, Position] = {}
    for part in parts:
        keep(cursor, Batch(cursor=part.cursor))
    return places(cursor).get(OPTIONS["name"])


STEPS = st.lists(
    st.tuples(st.sampled_from(["new", "tie", "late", "change", "pass", "restart", "death"]), st.integers(0, 30)),
    min_size=1,
    max_size=60,
)


@given(STEPS, st.integers(1, 4))
def test_ties_late_rows_and_changes_are_each_told_once(steps: list[tuple[str, int]], rows_max: int) -> None:
    database, overlap = empty(), 10
    query, safe = Query.model_validate({**OPTIONS, "overlap_numbers": overlap, "rows_max": rows_max}), list[Part]()
    reader = QueryReader(query, None)
    newest, versions = 100, 0
    rows = 0
    for kind, number in [*steps, ("pass", 0)]:
        if kind in ("pass", "restart", "death"):
            if kind == "restart":
                reader = QueryReader(query, known(*safe))
            parts = a_pass(database, reader)
            if kind == "death":  # with the first parts in the spool
                parts = parts[: number % (len(parts) + 1)]
                reader = QueryReader(query, known(*safe, *parts))
            safe += parts
            continue
        versions += 1
        if kind == "change" and rows:
            statement, key = "UPDATE t SET wm = :wm, v = :v WHERE k = :k", f"k{number % rows}"
            newest += 1
            wm = newest
        else:
            statement, key, rows = "INSERT INTO t VALUES (:wm, :k, :v, :at)", f"k{rows}", rows + 1
            newest += kind in ("new", "change")
            wm = newest - (number % overlap if kind == "late" else 0)
        database.execute(text(statement), {"wm": wm, "k": key, "v": versions, "at": AT})
    values: list[Any] = [thing.sample.value for part in safe for thing in part.said if isinstance(thing, Reading)]
    assert sorted(values) == sorted(set(values)), "what was told is not told again"
    there = {row[0] for row in database.execute(text("SELECT v FROM t"))}
    assert there <= set(values), "what is there was told"


def test_a_restart_goes_on_behind_the_last_row_and_ties_are_told_apart() -> None:
    database = empty()
    for number in range(10):
        database.execute(text(f"INSERT INTO t VALUES (5, 'k{number}', {number}, '{AT}')"))
    query = Query.model_validate(OPTIONS)
    first = QueryReader(query, None)
    result = database.execute(first.begin())
    page = first.take(Answer(tuple(result.keys()), result.fetchall()), NOW)
    again = QueryReader(query, known(*page.parts))
    assert [value for _, value in told_in_a_pass(database, again)] == list(range(3, 10))
    assert told_in_a_pass(database, again) == []


def test_what_is_kept_beside_a_mark_is_what_the_overlap_has() -> None:
    database, cursor = empty(), dict[str, Position]()
    query = Query.model_validate({**OPTIONS, "overlap_numbers": 3})
    reader = QueryReader(query, None)
    for number in range(40):
        database.execute(text(f"INSERT INTO t VALUES ({number}, 'k{number}', {number}, '{AT}')"))
        for part in a_pass(database, reader):
            keep(cursor, Batch(cursor=part.cursor))
    assert len(cursor) <= 1 + 6, "the mark, and the rows of the overlap of this pass and the one before"


def test_start_leaves_out_what_is_older() -> None:
    database = empty()
    for number in range(5):
        database.execute(text(f"INSERT INTO t VALUES ({number}, 'k{number}', {number}, '{AT}')"))
    reader = QueryReader(Query.model_validate({**OPTIONS, "start": 2}), None)
    assert [value for _, value in told_in_a_pass(database, reader)] == [3, 4]


def test_an_overlap_beyond_the_bound_is_shortened_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "TOLD_MAX", 5)
    database = empty()
    for number in range(20):
        database.execute(text(f"INSERT INTO t VALUES ({number}, 'k{number}', {number}, '{AT}')"))
    reader = QueryReader(Query.model_validate({**OPTIONS, "overlap_numbers": 15}), None)
    assert len(told_in_a_pass(database, reader)) == 20
    assert reader.problem()
    assert told_in_a_pass(database, reader) == []
    database.execute(text(f"INSERT INTO t VALUES (18, 'late', 99, '{AT}')"))
    assert [value for _, value in told_in_a_pass(database, reader)] == [99]


def test_rows_without_a_watermark_hold_nothing_up() -> None:
    database = empty()
    for number in range(5):
        database.execute(text(f"INSERT INTO t VALUES (NULL, 'null{number}', 7, '{AT}')"))
    database.execute(text(f"INSERT INTO t VALUES (1, 'a', 1, '{AT}')"))
    assert told_in_a_pass(database, QueryReader(Query.model_validate(OPTIONS), None)) == [("Value", 1)]


COLUMNS = ("wm", "k", "v", "at")


def marked(*parts: Part) -> Mark:
    place = known(*parts)
    assert place is not None
    assert place.mark is not None
    return place.mark


def test_rows_from_the_future_are_told_once_though_no_place_reaches_to_them() -> None:
    reader = QueryReader(Query.model_validate(OPTIONS | {"rows_max": 10}), None)
    reader.begin()
    early = [(NOW.replace(year=2099), "b", 2, AT)]
    parts, _ = reader.take(Answer(COLUMNS, early), NOW)
    assert [len(part.said) for part in parts] == [1]
    again = QueryReader(Query.model_validate(OPTIONS | {"rows_max": 10}), known(*parts))
    again.begin()
    parts, _ = again.take(Answer(COLUMNS, [*early, (NOW.replace(year=2098), "c", 3, AT)]), NOW)
    assert [thing.sample.value for part in parts for thing in part.said if isinstance(thing, Reading)] == [3]


def test_a_row_from_the_future_hides_none_that_comes_after_it() -> None:
    reader = QueryReader(Query.model_validate(OPTIONS), None)
    reader.begin()
    now_there = [(NOW, "a", 1, AT), (NOW.replace(year=2099), "b", 2, AT), ("infinity", "c", 3, AT)]
    parts, then = reader.take(Answer(COLUMNS, now_there), NOW)
    assert [len(part.said) for part in parts] == [3]
    assert marked(*parts) == Mark(NOW, ("a",))
    assert then is not None, "the page was full"
    reader.take(Answer(COLUMNS, []), NOW)
    assert reader.problem() == "2 rows have a wm that is still to come, 'c' for one: is a clock off? They are told, and passed over for what comes next"  # fmt: skip
    reader.begin()
    later = [(NOW.replace(hour=7), "d", 4, AT), *now_there[1:]]
    parts, _ = reader.take(Answer(COLUMNS, later), NOW.replace(hour=7))
    assert [thing.sample.value for part in parts for thing in part.said if isinstance(thing, Reading)] == [4]


@given(
    st.lists(
        st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.datetimes() | st.dates(), unique_by=repr
    )
)
def test_watermarks_of_any_kinds_in_one_column_end_nothing(watermarks: list[Any]) -> None:
    """SQLite has no types that it keeps to."""
    reader = QueryReader(Query.model_validate({**OPTIONS, "rows_max": 1_000}), None)
    for _ in range(2):
        reader.begin()
        reader.take(Answer(COLUMNS, [(watermark, str(n), n, AT) for n, watermark in enumerate(watermarks)]), NOW)


def test_a_column_that_plans_ahead_is_read_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sql.reader.AHEAD_MAX", 2)
    reader = QueryReader(Query.model_validate({**OPTIONS, "rows_max": 9}), None)
    reader.begin()
    planned = [(NOW.replace(year=2030 + number), f"k{number}", number, AT) for number in range(5)]
    (part,), _ = reader.take(Answer(COLUMNS, planned), NOW)
    assert marked(part) == Mark(NOW.replace(year=2034), ("k4",))
    assert "holds times that are still to come" in (reader.problem() or "")


@pytest.mark.parametrize(
    ("watermark", "is_ahead"),
    [
        (NOW.replace(hour=7), False),
        (NOW.replace(hour=8), True),
        (datetime(2026, 11, 23, 21), False),
        (datetime(2026, 11, 24), True),
        (date(2026, 11, 25), False),
        (date(2026, 11, 26), True),
        (2**62, False),
        ("2099-01-01", False),
        ("infinity", True),
    ],
)
def test_what_is_still_to_come(watermark: Any, is_ahead: bool) -> None:
    assert ahead(watermark, NOW) is is_ahead


def test_columns_that_are_missing_or_doubled_are_named() -> None:
    reader = QueryReader(Query.model_validate(OPTIONS), None)
    with pytest.raises(BadColumns, match="lacks 'v'; it has 'wm', 'k', 'at'"):
        reader.take(Answer(("wm", "k", "at"), []), NOW)
    with pytest.raises(BadColumns, match="has 'k' twice"):
        reader.take(Answer(("wm", "k", "v", "k", "at"), []), NOW)


def test_a_null_in_the_key_and_rows_that_are_one_are_refused() -> None:
    reader = QueryReader(Query.model_validate(OPTIONS), None)
    with pytest.raises(BadMark, match="never NULL"):
        reader.take(Answer(("wm", "k", "v", "at"), [(1, None, 1, AT)]), NOW)
    reader.take(Answer(("wm", "k", "v", "at"), [(1, "a", 1, AT)]), NOW)
    with pytest.raises(BadMark, match="cannot be told apart"):
        reader.take(Answer(("wm", "k", "v", "at"), [(1, "a", 1, AT), (1, "a", 2, AT), (1, "a", 3, AT)]), NOW)


def test_a_bad_row_is_named_by_its_key() -> None:
    reader = QueryReader(Query.model_validate(OPTIONS), None)
    ((said, _),) = reader.take(Answer(("wm", "k", "v", "at"), [(1, "a", 1, "x"), (2, "b", 7, AT)]), NOW).parts
    bad, good = said
    assert isinstance(bad, Malformed)
    assert (bad.origin, bad.reason) == ("q: a", "bad_time")
    assert bad.payload == b'{"wm": 1, "k": "a", "v": 1, "at": "x"}'
    assert isinstance(good, Reading)


PARTS = (
    st.integers()
    | st.text(max_size=5)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.times()
    | st.uuids()
    | st.binary(max_size=5)
    | st.floats(allow_nan=False)
)


@given(PARTS, st.lists(PARTS, min_size=1, max_size=3))
def test_a_mark_comes_back_as_it_was(watermark: Any, key: list[Any]) -> None:
    mark, told = Mark(watermark, tuple(key)), {b"k" * 16: b"c" * 16}
    cursor = {name: kept for name, kept in entries("q", mark, told).items() if kept is not None}
    again = places(cursor)["q"]
    assert again == Place(mark, told)
    assert again.mark is not None
    assert [type(part) for part in (again.mark.watermark, *again.mark.key)] == [type(watermark), *map(type, key)]


@given(st.binary(max_size=30))
def test_what_is_no_mark_is_none(kept: bytes) -> None:
    assert decode(kept) is None


def test_overlaps_are_reckoned_with_times_and_numbers_only() -> None:
    assert before(datetime(2026, 1, 1, 0, 1), 60, 0) == datetime(2026, 1, 1)
    assert before(datetime.min, 60, 0) == datetime.min
    assert before(date(2026, 1, 2), 60, 100) == date(2026, 1, 1)
    assert before(Decimal(12), 60, 10) == 2
    for watermark, seconds, numbers in (("2026", 60, 100), (UUID(int=1), 60, 100), (NOW, 0, 100), (1, 60, 0)):
        assert before(watermark, seconds, numbers) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"query": "SELECT 1"}, "one of `table` and `query`"),
        ({"table": None}, "one of `table` and `query`"),
        ({"table": None, "query": "DELETE FROM t"}, "begins with SELECT"),
        ({"key": []}, "at least 1"),
    ],
)
def test_queries_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Query.model_validate({**OPTIONS, **options})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://uns:secret@h/db", "does not belong into the address"),
        ("postgresql://uns@h/db", "use `username`"),
        ("postgresql://h", "names no database"),
        ("db2://h/x", "is no address"),
        ("sqlite:///relative.db", "from the root on"),
    ],
)
def test_addresses_that_cannot_be_are_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        SqlConfig.model_validate({"url": url, "queries": [OPTIONS]})
    assert "secret" not in str(caught.value)
