"""The way through the pages: nothing is missed and nothing is told twice, in whatever order a server gives its items."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.base import Batch, FactReading, Malformed, Position, Reading
from connectors.kit.cursor import places
from connectors.kit.mark import Place
from connectors.rest.config import Query, RestConfig
from connectors.rest.reader import Answer, BadAnswer, Part, QueryReader
from schemas.records import Order, Reason
from uns.testing.connectors import keep

BASE = "http://cmms.test/api"
AT = "2026-11-23T06:00:00Z"
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
OPTIONS: dict[str, Any] = {
    "name": "q",
    "url": "/items?since={since}&page={page}",
    "key": ["id"],
    "watermark": "wm",
    "watermark_is": "number",
    "overlap_numbers": 10,
    "path": "acme/dallas",
    "columns": {"v": "v", "at": "at"},
    "at": "at",
    "fields": {"Value": "v"},
}


class Server:
    """A list of items by id, given in an order of its own, two on a page."""

    def __init__(self, order: int = 0) -> None:
        self.items: dict[int, dict[str, Any]] = {}
        self._chance = random.Random(order)
        self._order = order % 3

    def answer(self, url: str) -> Answer:
        query = parse_qs(urlsplit(url).query)
        found = [item for item in self.items.values() if item["wm"] >= int(query["since"][0])]
        if self._order:
            found.sort(key=lambda item: (item["wm"], item["id"]), reverse=self._order == 2)
        begin = 2 * (int(query["page"][0]) - 1)
        return Answer(json.dumps(found[begin : begin + 2]).encode())


def a_pass(server: Server, reader: QueryReader) -> list[Part]:
    found: list[Part] = []
    url: str | None = reader.begin()
    while url is not None:
        parts, url = reader.take(server.answer(url), NOW)
        found += parts
    return found


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


@given(STEPS, st.integers(0, 2))
def test_ties_late_items_and_changes_are_each_told_once(steps: list[tuple[str, int]], order: int) -> None:
    server, query, safe = Server(order), Query.model_validate(OPTIONS), list[Part]()
    reader = QueryReader(query, None, BASE)
    newest, versions = 100, 0
    for kind, number in [*steps, ("pass", 0)]:
        if kind in ("pass", "restart", "death"):
            if kind == "restart":
                reader = QueryReader(query, known(*safe), BASE)
            parts = a_pass(server, reader)
            if kind == "death":  # with the first parts in the spool
                parts = parts[: number % (len(parts) + 1)]
                reader = QueryReader(query, known(*safe, *parts), BASE)
            safe += parts
            continue
        versions += 1
        identity = number % len(server.items) if kind == "change" and server.items else len(server.items)
        newest += kind in ("new", "change")
        wm = newest - (number % 10 if kind == "late" else 0)
        server.items[identity] = {"id": identity, "wm": wm, "v": versions, "at": AT}
    values: list[Any] = [thing.sample.value for part in safe for thing in part.said if isinstance(thing, Reading)]
    assert sorted(values) == sorted(set(values)), "what was told is not told again"
    assert {item["v"] for item in server.items.values()} <= set(values), "what is there was told"


def test_pages_that_shift_while_they_are_read_lose_nothing() -> None:
    server, query = Server(1), Query.model_validate(OPTIONS | {"overlap_numbers": 0})
    for number in range(6):
        server.items[number] = {"id": number, "wm": number, "v": number, "at": AT}
    reader = QueryReader(query, None, BASE)
    url: str | None = reader.begin()
    told: list[Part] = []
    while url is not None:
        parts, url = reader.take(server.answer(url), NOW)
        told += parts
        server.items[0] = {"id": 0, "wm": 100, "v": 0, "at": AT}  # it moves to the end, and what is behind it moves up
    values = {thing.sample.value for part in told for thing in part.said if isinstance(thing, Reading)}
    assert values == {0, 1, 3, 4, 5}, "one slipped through"
    [again] = [part for part in a_pass(server, reader) if part.said]
    assert [thing.sample.value for thing in again.said if isinstance(thing, Reading)] == [2]


def reader(**options: Any) -> QueryReader:
    return QueryReader(Query.model_validate(OPTIONS | options), None, BASE)


def said(read: QueryReader, document: Any, url: str | None = None) -> list[Any]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return [thing for part in read.take(Answer(body, url), NOW).parts for thing in part.said]


def test_an_item_becomes_a_fact() -> None:
    options = {
        "url": "/orders?since={since}",
        "items": "content[?status=='DONE']",
        "watermark": "updatedAt",
        "watermark_is": "time",
        "row": "reason",
        "path": "{asset}",
        "levels": "paths",
        "at": None,
        "columns": {
            "n": "id",
            "asset": "asset",
            "code": "closing.code",
            "began": "began",
            "by": "by.name",
            "min": "labour",
        },
        "words": {"bearing worn": 201},
        "fields": {"id": "wo-{n}", "code": "code", "started_at": "began", "by": "by", "comment": "WO {n}, {min} min"},
    }
    read = reader(**options)
    assert read.begin() == "/orders?since=1970-01-01T00%3A00%3A00.000Z"
    item = {"id": 17, "status": "DONE", "updatedAt": "2026-11-23T05:00:00.5Z", "asset": "acme/dallas/packaging/line-1/filler", "closing": {"code": "bearing worn"}, "began": AT, "by": {"name": "Jörg"}, "labour": 35}  # fmt: skip
    [fact] = said(read, {"content": [item, item | {"id": 18, "status": "OPEN"}]})
    assert isinstance(fact, FactReading)
    assert str(fact.path) == item["asset"]
    assert fact.fact == Reason(id="wo-17", code=201, started_at=1795413600000000, by="Jörg", comment="WO 17, 35 min")
    assert read.begin() == "/orders?since=2026-11-23T04%3A59%3A00.500Z", "an overlap before the newest"
    assert said(read, {"content": [item | {"viewed": 5, "updatedAt": "2026-11-23T05:10:00Z"}]}) == [], (
        "nothing of it changed"
    )


def test_without_a_watermark_the_list_is_whole_and_only_changes_are_told() -> None:
    options = {"url": "/orders", "watermark": None, "row": "order", "at": None, "columns": {}, "fields": {"id": "no", "product": "what.name", "started_at": "since"}}  # fmt: skip
    read = reader(**options, key=["no"])
    orders: list[Any] = [{"no": f"o{n}", "what": {"name": "cola"}, "since": AT} for n in range(3)]
    assert read.begin() == "/orders"
    assert [fact.fact.id for fact in said(read, orders)] == ["o0", "o1", "o2"]
    read.begin()
    orders[1]["what"]["name"] = "water"
    assert [fact.fact for fact in said(read, orders)] == [Order(id="o1", product="water", started_at=1795413600000000)]


@pytest.mark.parametrize(
    ("form", "zone", "written"),
    [
        ("iso", None, "2026-11-23T06:00:00.123Z"),
        ("s", None, "1795413600"),
        ("ms", None, "1795413600123"),
        ("%Y-%m-%d %H:%M:%S", "Europe/Berlin", "2026-11-23 07:00:00"),
    ],
)
def test_since_is_written_as_the_server_reads_it(form: str, zone: str | None, written: str) -> None:
    begin = NOW + timedelta(microseconds=123_456)
    read = reader(watermark_is="time", since_format=form, zone=zone, start=begin)
    assert parse_qs(urlsplit(read.begin()).query)["since"] == [written]


def test_pages_by_link_by_address_and_by_token() -> None:
    item = {"id": 1, "wm": 1, "v": 1, "at": AT}
    by_link = reader(url="/items")
    by_link.begin()
    assert by_link.take(Answer(json.dumps([item]).encode(), "/api/items?after=1"), NOW).then == "/items?after=1"
    with pytest.raises(BadAnswer, match="another host"):
        by_link.take(Answer(json.dumps([item | {"id": 2}]).encode(), "https://evil.example/items"), NOW)
    with pytest.raises(BadAnswer, match="not below url"):
        by_link.take(Answer(json.dumps([item | {"id": 3}]).encode(), "/other"), NOW)
    by_token = reader(url="/items?c={cursor}", items="rows", next="next")
    assert by_token.begin() == "/items?c="
    assert by_token.take(Answer(json.dumps({"rows": [item], "next": "a/b="}).encode()), NOW).then == "/items?c=a%2Fb%3D"
    assert by_token.take(Answer(json.dumps({"rows": [], "next": None}).encode()), NOW).then is None
    by_offset = reader(url="/items?skip={offset}", page_items=2)
    assert by_offset.begin() == "/items?skip=0"
    assert by_offset.take(Answer(json.dumps([item, item | {"id": 2}]).encode()), NOW).then == "/items?skip=2"
    assert by_offset.take(Answer(json.dumps([item | {"id": 3}]).encode()), NOW).then is None


def test_a_server_that_ignores_the_page_is_named() -> None:
    read = reader()
    read.begin()
    said(read, [{"id": 1, "wm": 1, "v": 1, "at": AT}])
    with pytest.raises(BadAnswer, match="every page is the same"):
        said(read, [{"id": 1, "wm": 1, "v": 1, "at": AT}])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"<html>", "not JSON"),
        ({"error": "x"}, "nothing is at `rows`"),
        ({"rows": 5}, "is no list"),
        (b"\xff", "not JSON"),
    ],
)
def test_what_is_no_list_is_named(document: Any, words: str) -> None:
    read = reader(items="rows")
    read.begin()
    with pytest.raises(BadAnswer, match=words):
        said(read, document)


def test_what_cannot_be_read_is_told_once_and_holds_up_nothing() -> None:
    read = reader(url="/items")
    items = [
        5,
        {"wm": 1},
        {"id": {"no": 1}, "wm": 1},
        {"id": 7, "wm": "x", "v": 1, "at": AT},
        {"id": 8, "wm": 3, "v": 1},
    ]
    read.begin()
    first = said(read, items)
    assert [thing.reason for thing in first if isinstance(thing, Malformed)] == [
        "bad_payload",
        "no_key",
        "no_key",
        "bad_time",
    ]
    assert sum(isinstance(thing, Reading) for thing in first) == 1, "one without a watermark is told all the same"
    assert "have no `wm`" in (read.problem() or "")
    read.begin()
    assert said(read, items) == []


def test_a_watermark_that_is_still_to_come_moves_nothing() -> None:
    read = reader(watermark_is="time", overlap_s=0, url="/items?since={since}")
    read.begin()
    items = [{"id": 1, "wm": "2027-11-23T06:00:00Z", "v": 1, "at": AT}, {"id": 2, "wm": AT, "v": 2, "at": AT}]
    assert len(said(read, items)) == 2
    assert "still to come" in (read.problem() or "")
    assert "2026-11-23T06" in read.begin()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "items"}, "begin with one /"),
        ({"url": "//evil"}, "begin with one /"),
        ({"url": "/items?s={sinse}"}, "no {sinse}"),
        ({"url": "/a/../b"}, r"segment \. or \.\."),
        ({"url": "/a b"}, "space"),
        ({"url": "/a{"}, "brace"),
        ({"watermark": None}, "{since} needs `watermark`"),
        ({"url": "/x?c={cursor}"}, "needs `next`"),
        ({"url": "/x?p={page}&o={offset}"}, "one of"),
        ({"start": NOW}, "`start` is a watermark"),
        ({"since_format": "unix"}, "since_format is"),
        ({"key": ["id["]}, "no JMESPath"),
        ({"items": "nosuch(@)"}, "no function"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Query.model_validate(OPTIONS | options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://u:hunter2@x"}, "a password does not belong"),
        ({"url": "http://x/?a=1"}, "no ?"),
        ({"url": "ftp://x"}, "no address"),
        ({"headers": {"a b": "c"}}, "no name of a header"),
        ({"queries": [OPTIONS, OPTIONS]}, "two queries"),
        ({"auth": {"kind": "bearer"}}, "give secret_file"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        RestConfig.model_validate({"url": BASE, "queries": [OPTIONS]} | options)
    assert "hunter2" not in str(refused.value)
