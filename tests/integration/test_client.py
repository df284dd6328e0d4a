"""`uns.client` on real Kafka: what is read, what comes again, what is refused, and every example of its page."""

import asyncio
import inspect
import json
import os
import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import TopicPartition

import uns.client
from schemas.codec import Codec
from schemas.records import Alert, Downtime, Oee, Reason, Record, Samples, State
from tests.harness.own_area import OwnArea
from tests.harness.records import EXAMPLES, PATH, T
from tests.harness.waiting import until
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path as Place
from uns.client import (
    MissingExtra,
    NothingMatches,
    NotPublished,
    Received,
    RecordsLost,
    connect,
    connect_sync,
    subscribe,
)
from uns.client.frame import table, to_pandas
from uns.registry.client import RegistryClient, RegistryUnavailable
from uns.runtime.settings import settings

ROOT = Path(__file__).parents[2]
POISON = b"\0\0\0\0\1\xff\xff"


@pytest.fixture
def area(
    kafka: str, registry: str, enterprise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OwnArea]:
    monkeypatch.setenv("UNS_BOOTSTRAP", kafka)
    monkeypatch.setenv("UNS_REGISTRY", registry)
    monkeypatch.setenv("UNS_STATE_DIR", str(tmp_path / "state"))
    settings.cache_clear()
    yield OwnArea(kafka, registry, enterprise, tmp_path)
    settings.cache_clear()


def oee(number: int, revision: int = 0) -> Oee:
    example = next(record for record in EXAMPLES if isinstance(record, Oee))
    begin = T + number * 3_600_000_000
    return msgspec.structs.replace(
        example,
        id=f"{PATH}#oee-{number}:{revision}",
        started_at=begin,
        ended_at=begin + 3_600_000_000,
        revision=revision,
        oee=0.5 + revision / 10,
    )


def test_a_poisoned_record_is_told_and_ends_nothing(area: OwnArea) -> None:
    area.write([oee(0)])
    area.put(MessageClass.OEE, POISON)
    area.put(MessageClass.OEE, None)
    area.put(MessageClass.OEE, b"\0", key=b"\xff is no path")
    area.write([oee(1)])
    with connect_sync() as ns:
        items = list(ns.subscribe(f"{area.enterprise}/#", ["oee"], begin="beginning", follow=False))
    assert [type(item.record) for item in items] == [Oee, type(None), type(None), Oee]
    assert [bool(item.problem) for item in items] == [False, True, True, False]
    assert [item.offset for item in items] == [0, 1, 2, 4]
    assert items[0].id == area.own(oee(0)).id
    assert str(items[0].path) == area.own(oee(0)).path


def test_a_registry_that_is_away_costs_no_record(area: OwnArea, registry: str, tmp_path: Path) -> None:
    answers, asked = RegistryClient(registry, tmp_path / "answers"), 0

    def schema(id_: int) -> str:
        nonlocal asked
        asked += 1
        if asked in (1, 3):
            raise RegistryUnavailable("away")
        return answers.schema(id_)

    area.write([oee(0), *(record for record in EXAMPLES if isinstance(record, Alert)), oee(1)])
    filters, classes = [Filter.parse(f"{area.enterprise}/#")], [MessageClass.OEE, MessageClass.ALERT]
    seen: list[bytes | None] = []
    failures = 0
    deadline = time.monotonic() + 60
    with subscribe.Subscription(area.settings, Codec({}, schema), filters, classes, "beginning", False) as subscription:
        while not (subscription.ended and len(seen) >= 3) and time.monotonic() < deadline:
            try:
                seen += [item.value for item in subscription.poll()]
            except RegistryUnavailable:
                failures += 1
    assert failures >= 1
    assert len(seen) == len(set(seen)) == 3, "each of them once"


def test_async_items_come_as_they_are_written(area: OwnArea) -> None:
    async def follow() -> list[Record | None]:
        seen: list[Record | None] = []
        async with connect() as ns:
            async for item in ns.subscribe(f"{area.enterprise}/#", ["oee"], begin="beginning"):
                seen.append(item.record)
                if len(seen) == 3:
                    break
                await asyncio.to_thread(area.write, [oee(len(seen))])
        return seen

    area.write([oee(0)])
    assert asyncio.run(follow()) == [area.own(oee(number)) for number in range(3)]


def test_async_reading_ends_at_the_end_when_it_does_not_follow(area: OwnArea) -> None:
    async def read() -> int:
        async with connect() as ns:
            return len([item async for item in ns.subscribe("#", ["oee"], begin="beginning", follow=False)])

    area.write([oee(0), oee(1)])
    assert asyncio.run(read()) >= 2


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_group_goes_on_with_what_was_not_handled(area: OwnArea, way: str) -> None:
    filters, group = f"{area.enterprise}/#", f"{area.enterprise}-{way}"

    def take(most: int) -> list[int]:
        seen: list[int] = []
        with connect_sync() as ns:
            for item in ns.subscribe(filters, ["oee"], begin="beginning", group=group):
                seen.append(item.offset)
                if len(seen) == most:
                    return seen  # the last one is not handled: it was not asked for another
        raise AssertionError

    async def take_async(most: int) -> list[int]:
        seen: list[int] = []
        async with connect() as ns:
            async for item in ns.subscribe(filters, ["oee"], begin="beginning", group=group):
                seen.append(item.offset)
                if len(seen) == most:
                    break
        return seen

    area.write([oee(number) for number in range(5)])
    run: Callable[[int], list[int]] = take if way == "sync" else (lambda most: asyncio.run(take_async(most)))
    assert run(3) == [0, 1, 2]
    assert run(3) == [2, 3, 4]


def test_records_gone_before_a_group_read_them_are_said(area: OwnArea) -> None:
    def take(most: int) -> list[int]:
        offsets = []
        with connect_sync() as ns:
            for item in ns.subscribe(f"{area.enterprise}/#", ["oee"], begin="beginning", group=area.enterprise):
                offsets.append(item.offset)
                if len(offsets) == most:
                    break
        return offsets

    area.write([oee(number) for number in range(5)])
    take(2)
    name = area.topic(MessageClass.OEE)
    area.admin.delete_records([TopicPartition(name, 0, 4)])[TopicPartition(name, 0)].result(20)
    with pytest.raises(RecordsLost, match=r"read up to 1, the log begins at 4"):
        take(1)


def test_a_topic_that_is_created_later_is_read_from_its_beginning(
    area: OwnArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribe, "REFRESH_S", 0.2)
    area.write([oee(0)])
    alert = next(record for record in EXAMPLES if isinstance(record, Alert))
    classes = ["oee", "alert"]
    area.admin.delete_topics([area.topic(MessageClass.ALERT)])[area.topic(MessageClass.ALERT)].result(20)
    seen: list[Any] = []
    with connect_sync() as ns, ns.subscribe(f"{area.enterprise}/#", classes, begin="beginning") as subscription:

        def received(count: int) -> bool:
            seen.extend(subscription.poll())
            return len(seen) >= count

        until(lambda: received(1), 60)
        area.create([MessageClass.ALERT])
        area.write([alert, oee(1)])
        until(lambda: received(3), 60)
    assert {type(item.record) for item in seen} == {Oee, Alert}
    assert len(seen) == 3


def test_history_is_the_newest_revision_of_what_began_in_the_span(area: OwnArea) -> None:
    area.write([oee(0), oee(1), oee(2), oee(1, revision=1), oee(0, revision=1)])
    area.put(MessageClass.OEE, POISON)
    end = T + 2 * 3_600_000_000
    with connect_sync() as ns:
        hours = ns.history(f"{area.enterprise}/#", T, end, ["oee"])
        every = ns.history(f"{area.enterprise}/#", T, end, ["oee"], every_revision=True)
        assert [item.record for item in hours] == [area.own(oee(0, 1)), area.own(oee(1, 1))]
        assert [item.offset for item in hours.problems] == [5]
        assert len(list(every)) == 4
        frame = hours.frame()
    assert list(frame["oee"]) == [0.6, 0.6]
    assert [str(at) for at in frame["started_at"]] == ["2026-11-18 11:06:40+00:00", "2026-11-18 12:06:40+00:00"]
    assert list(frame["kafka_offset"]) == [4, 3]
    assert list(frame["path"]) == [area.own(oee(0)).path] * 2


def test_history_in_asyncio(area: OwnArea) -> None:
    async def read() -> tuple[int, int]:
        async with connect() as ns:
            hours = ns.history(f"{area.enterprise}/#", T, T + 1, ["oee"])
            return len([item async for item in hours]), (await hours.table()).num_rows

    area.write([oee(0)])
    assert asyncio.run(read()) == (1, 1)


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_every_record_has_a_table_that_says_all_of_it(record: Record) -> None:
    item = Received("topic", 1, 7, Place.parse(PATH), MessageClass.RAW, 0, None, record, None)
    made = table(type(record), [item, item])
    row = made.to_pylist()[0]
    plain = msgspec.to_builtins(record)
    assert made.num_rows == 2
    assert set(row) == {*plain, "path", "kafka_topic", "kafka_partition", "kafka_offset"}
    for name, value in plain.items():
        assert (row[name] is None) == (value is None)
        if isinstance(value, str | float | bool) or (isinstance(value, int) and not isinstance(row[name], datetime)):
            assert row[name] == value
    if isinstance(record, Samples):
        values = [sample["value"] for sample in row["samples"]]
        assert [None if value is None else next(v for v in value.values() if v is not None) for value in values] == [
            sample.value for sample in record.samples
        ]


@pytest.mark.parametrize("library", ["pyarrow", "pandas"])
def test_without_the_extra_it_says_what_to_install(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arrow = table(Oee, [])
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=r"pip install 'uns-backbone\[frame\]'"):
        to_pandas(arrow) if library == "pandas" else table(Oee, [])


def test_a_table_is_of_one_type(area: OwnArea) -> None:
    area.write([oee(0), *(record for record in EXAMPLES if isinstance(record, Alert))])
    with connect_sync() as ns:
        both = ns.history(f"{area.enterprise}/#", T, T + 1, ["oee", "alert"])
        assert set(both.tables()) == {"Alert", "Oee"}
        with pytest.raises(ValueError, match=r"Alert, Oee; ask for one class"):
            both.table()
        assert ns.history(f"{area.enterprise}/#", T - 2, T - 1, ["oee"]).table().num_rows == 0


def test_a_fact_is_published_and_read_back(area: OwnArea) -> None:
    reason = Reason(id="r1", code=301, started_at=T, by="anna")
    path = PATH.replace("acme", area.enterprise, 1)
    with connect_sync() as ns:
        assert [ns.publish(path, reason, source="mes"), ns.publish(path, reason)] == [0, 1]
        items = list(ns.subscribe(f"{area.enterprise}/#", ["raw"], begin="beginning", follow=False))
        assert [item.record for item in items] == [reason, reason]
        assert dict(items[0].headers)["ce_source"] == b"mes"
        assert items[0].id != items[1].id
        with pytest.raises(TypeError, match="Oee is no fact; there are Order, Lot"):
            ns.publish(path, oee(0))  # type: ignore[arg-type]
        with pytest.raises(NotPublished, match="`uns apply` creates"):
            ns.publish("nobody/dallas/packaging/line-1/filler", reason)
        with pytest.raises(NotPublished, match="does not fit"):
            ns.publish(path, msgspec.structs.replace(reason, code=2**70))


def test_what_the_plant_model_does_not_take_is_not_published(area: OwnArea, tmp_path: Path) -> None:
    path = PATH.replace("acme", area.enterprise, 1)
    enterprise, site, place, line, cell = path.split("/")
    model = {
        "namespace": {
            "enterprise": enterprise,
            "sites": {site: {"areas": {place: {"lines": {line: {"cells": {cell: "machine"}}}}}}},
        },
        "types": {
            "machine": {
                "tags": {"State": {"role": "state"}},
                "ideal_cycle_s": 1.0,
                "reasons": {301: {"name": "jam", "category": "micro"}},
            }
        },
    }
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "plant.yaml").write_text(json.dumps(model), encoding="utf-8")
    reason = Reason(id="r1", code=301, started_at=T, by="anna")
    with connect_sync(plant=tmp_path / "plant") as ns:
        assert ns.publish(path, reason) == 0
        with pytest.raises(NotPublished, match=r"code 310; did you mean 301 \(jam\)"):
            ns.publish(path, msgspec.structs.replace(reason, code=310))
        with pytest.raises(NotPublished, match="did you mean"):
            ns.publish(f"{path}x", reason)
        assert ns.publish(path, msgspec.structs.replace(reason, code=310), force=True) == 1
        assert ns.publish(f"{path}x", reason, force=True) == 2


def test_what_cannot_be_meant_is_refused(area: OwnArea) -> None:
    with connect_sync() as ns:
        with pytest.raises(NothingMatches):
            ns.subscribe("nobody/#", ["oee"])
        with pytest.raises(ValueError, match="follows"):
            ns.subscribe("#", ["oee"], group="g", follow=False)
        with pytest.raises(ValueError, match="offset"):
            ns.history("#", "2026-11-18T00:00:00", "2026-11-19T00:00:00Z")
        with pytest.raises(ValueError, match="zone"):
            ns.history("#", datetime(2026, 11, 18), datetime(2026, 11, 19))
        with pytest.raises(ValueError, match="empty"):
            ns.history("#", 2, 1)


def test_it_writes_nothing_into_the_environment(area: OwnArea) -> None:
    before = dict(os.environ)
    with connect_sync() as ns:
        list(ns.subscribe(f"{area.enterprise}/#", ["oee"], begin="beginning", follow=False))
    assert dict(os.environ) == before


# -- examples --------------------------------------------------------------------------------------------------


def _examples() -> Iterator[tuple[str, str]]:
    page = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page, re.DOTALL)):
        yield f"client.md-{number}", block
    _, _, indented = inspect.cleandoc(uns.client.__doc__ or "").partition("\n\n")
    yield "uns.client", "from uns.client import connect\n" + textwrap.dedent(indented.partition("\n\n")[0])


EXAMPLE_BLOCKS = dict(_examples())


class _Seen(Exception):
    """An example that follows for ever has printed what it was to print."""


@pytest.mark.parametrize("name", EXAMPLE_BLOCKS)
def test_the_examples_run(area: OwnArea, name: str) -> None:
    code = EXAMPLE_BLOCKS[name].replace("acme", area.enterprise)
    area.write([oee(0), *(record for record in EXAMPLES if isinstance(record, Alert | State | Downtime))])
    endless = "follow=False" not in code and "subscribe" in code
    printed: list[tuple[Any, ...]] = []

    def print_(*words: Any) -> None:
        printed.append(words)
        if endless:
            raise _Seen

    if name == "uns.client":  # it begins now: something must be written while it listens
        code = code.replace('classes=["oee"]', 'classes=["oee"], begin="beginning"')
    scope: dict[str, Any] = {"print": print_}
    exec("async def example():\n" + textwrap.indent(code, "    "), scope)
    with suppress(_Seen):
        asyncio.run(scope["example"]())
    assert printed
    assert all(word is not None for words in printed for word in words)


def test_there_are_examples_of_every_call() -> None:
    text = "\n".join(EXAMPLE_BLOCKS.values())
    assert len(EXAMPLE_BLOCKS) >= 6
    for call in ("connect(", "connect_sync(", ".subscribe(", ".history(", ".publish(", ".frame()", "group="):
        assert call in text
