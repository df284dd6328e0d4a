"""Shared objects under every order of records, revisions, lost answers, crashes and people who close: exactly as a model."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.records import Downtime
from sinks.kit.answer import Answer
from sinks.rest.config import RestConfig
from sinks.rest.ledger import ObjectLedger
from sinks.rest.objects import Later, Objects
from sinks.rest.shared import Shared, alone
from sinks.rest.target import Failed, Refused
from tests.harness.rest_process import config, stop
from uns.testing import downtime

CONFIG = RestConfig.model_validate(config("http://127.0.0.1:1"))
[MAPPING] = CONFIG.requests


class Killed(Exception):
    """The process is gone."""


@dataclass
class Memory:
    """A target without a network: what is asked may be done or not, and then the answer, or we, may be lost."""

    chance: random.Random
    trouble: float
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"workOrders": [], "comments": []})

    async def ask(
        self,
        method: str,
        url: str,
        success: str | None,
        values: dict[str, Any],
        body: Any = None,
        key: str | None = None,
        headers: Any = None,
    ) -> Answer:
        lost = self.chance.random() < self.trouble
        if lost and self.chance.random() < 0.4:
            raise self.chance.choice((Failed("no_answer", "it never arrived"), Killed()))
        answer = self._done(method, url, body)
        if lost:
            raise self.chance.choice((Failed("no_answer", "the answer was lost"), Killed()))
        if answer.status == 404:
            raise Refused("http_404", url)
        return answer

    def _done(self, method: str, url: str, body: Any) -> Answer:
        name, _, number = urlsplit(url).path.strip("/").partition("/")
        if method == "POST":
            self.lists[name].append({"id": len(self.lists[name]) + 1, **body})
            return Answer(201, {}, _json(self.lists[name][-1]))
        if not number:
            wanted = parse_qs(urlsplit(url).query)["external_id"][0]
            return Answer(200, {}, _json([one for one in self.lists[name] if one["external_id"] == wanted]))
        one = self.lists[name][int(number) - 1]
        one |= body or {}
        return Answer(200, {}, _json(one))


def _json(value: Any) -> str:
    return json.dumps(value)


@dataclass
class Order:
    """What the model knows of one."""

    key: tuple[str, int | None]
    opener: str
    closed: bool = False
    members: dict[str, float] = field(default_factory=dict)
    """Natural id → minutes; those that count."""
    commented: list[str] = field(default_factory=list)
    told: tuple[int, float] = (0, 0.0)


class Model:
    """What there must be, when nothing is ever lost."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.of: dict[str, Order] = {}

    def put(self, record: Downtime) -> None:
        wanted = not record.withdrawn and record.category == "breakdown"
        order, key = self.of.get(record.natural_id), (record.path, record.reason_code)
        if order is None:
            if not wanted:
                return
            order = next((one for one in self.orders if one.key == key and not one.closed), None)
            if order is None:
                order = Order(key, record.natural_id)
                self.orders.append(order)
            else:
                order.commented.append(record.natural_id)
            self.of[record.natural_id] = order
        if order.closed:
            return
        order.members.pop(record.natural_id, None)
        if wanted:
            lasted = 0 if record.ended_at is None else record.ended_at - record.started_at
            order.members[record.natural_id] = lasted / 60_000_000
        order.told = (len(order.members), sum(order.members.values()))


STEPS = st.lists(
    st.tuples(st.sampled_from(["new", "revise", "other", "back", "again", "close", "restart"]), st.integers(0, 50)),
    max_size=25,
)


@settings(max_examples=60)
@given(steps=STEPS, seed=st.integers(0, 10_000), trouble=st.sampled_from([0.0, 0.3]))
def test_whatever_happens_there_are_the_orders_and_comments_of_the_model(
    steps: list[tuple[str, int]], seed: int, trouble: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    memory, model, newest = Memory(random.Random(seed), trouble), Model(), list[Downtime]()
    ledger = ObjectLedger(folder, [MAPPING.known_as])

    def put(record: Downtime) -> None:
        nonlocal ledger
        for _ in range(200):
            shared = Shared(Objects(CONFIG, memory, ledger), memory, ledger)  # type: ignore[arg-type]
            try:
                asyncio.run(shared.put(MAPPING, record))
                return
            except (Failed, Later):
                continue
            except Killed:
                ledger.close()
                ledger = ObjectLedger(folder, [MAPPING.known_as])
        raise AssertionError("it never comes through")

    for kind, number in steps:
        if kind == "restart":
            ledger.close()
            ledger = ObjectLedger(folder, [MAPPING.known_as])
        elif kind == "close" and model.orders:
            at = number % len(model.orders)
            model.orders[at].closed = True
            memory.lists["workOrders"][at]["status"] = "DONE"
        elif kind == "new" or not newest:
            newest.append(stop(len(newest) * 4 + number % 3, ended_at=None if number % 2 else stop(0).ended_at))
            put(newest[-1])
            model.put(newest[-1])
        else:
            at = number % len(newest)
            record = _revised(newest[at], kind)
            newest[at] = record
            put(record)
            model.put(record)
    ledger.close()
    check(memory, model)


def _revised(record: Downtime, kind: str) -> Downtime:
    changes: dict[str, dict[str, Any]] = {
        "revise": {"ended_at": record.started_at + 90_000_000, "category": "breakdown"},
        "other": {"category": "micro", "reason_code": 999},
        "back": {"ended_at": record.started_at},
        "again": {},
        "close": {},
    }
    revision = record.revision + (kind != "again")
    return msgspec.structs.replace(record, id=f"{record.natural_id}:{revision}", revision=revision, **changes[kind])


def check(memory: Memory, model: Model) -> None:
    orders = memory.lists["workOrders"]
    assert [(one["external_id"], one["asset"], one["status"] == "DONE") for one in orders] == [
        (one.opener, one.key[0], one.closed) for one in model.orders
    ]
    told = [(one["times"], round(one["minutes"], 6)) for one in orders]
    assert told == [(times, round(minutes, 6)) for times, minutes in (one.told for one in model.orders)]
    comments = Counter((int(one["workOrderId"]), one["external_id"]) for one in memory.lists["comments"])
    assert comments == Counter((n + 1, name) for n, one in enumerate(model.orders) for name in one.commented)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"object": {"key": "{nosuch}"}}, "no field nosuch"),
        ({"object": {"key": "{times}"}}, "no field times"),
        ({"object": {"key": "{path}", "close": {"url": "/x"}}}, "`close` needs `closed_when`"),
        ({"object": {"key": "{path}", "closed_when": {"ended": None}}}, "no field ended"),
        ({"object": {"key": "{path}", "there": {"url": "x", "open": "{{ body.x }}"}}}, "must begin with one /"),
        ({"object": {"key": "{path}", "comment": {"url": "/c", "lookup": {"url": "/c"}}}}, "key_field is missing"),
        ({"object": {"key": "{path}", "comment": {"url": "/c", "body": {"a": "{bdoy}"}}}}, "no field bdoy"),
        ({"create": {"url": "/x", "body": {"n": "{times}"}}, "object": None}, "no field times"),
        ({"create": {"url": "/x", "body": {"n": "{{ sums.x }}"}}, "object": None}, "sums.x"),
        ({"create": {"url": "/x", "body": {"n": "{{ sums.run }}"}}, "sums": {"of": {"run_h": "{{ 1 }}"}}}, "sums.run"),
    ],
)
def test_what_does_not_go_together_is_refused(change: dict[str, Any], words: str) -> None:
    options = config("http://127.0.0.1:1")
    request: dict[str, Any] = {"class": "downtime", "create": {"url": "/x"}} | change
    with pytest.raises(ValidationError, match=words):
        RestConfig.model_validate(options | {"requests": [request]})


def test_a_key_alone_is_enough_and_a_page_must_be_known() -> None:
    options = config("http://127.0.0.1:1")
    read = RestConfig.model_validate(options | {"requests": [options["requests"][0] | {"object": "{path}"}]})
    assert read.requests[0].object is not None
    assert read.requests[0].object.key == "{path}"
    with pytest.raises(ValidationError, match="page_url is missing"):
        RestConfig.model_validate(options | {"page_url": None})


def test_what_a_record_alone_would_say() -> None:
    record = downtime(1)
    found = alone(MAPPING, record, {})
    assert (found["times"], found["minutes"], found["withheld"]) == (1, 0.5, 0)
    assert found["first_at"] == found["last_at"]
