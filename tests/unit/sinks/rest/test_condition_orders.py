"""A work order before the failure: condition records through the mechanism that work orders share, revised, never repeated."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from schemas.records import Condition, Derived
from sinks.kit.answer import Answer
from sinks.rest.config import RestConfig
from sinks.rest.ledger import ObjectLedger
from sinks.rest.objects import Objects
from sinks.rest.shared import Shared
from tests.harness.records import EXAMPLES

DUE = {
    "title": "{path[3]} {path[4]}: {name} ({subject})",
    "external_id": "{natural_id}",
    "description": "{message}",
    "due": "{act_by}",
    "priority": "{{ 'HIGH' if severity == 'high' else 'MEDIUM' }}",
}
CONFIG = RestConfig.model_validate(
    {
        "base_url": "http://127.0.0.1:1",
        "requests": [
            {
                "class": "condition",
                "when": {"kind": ["wear", "maintenance"], "severity": "high", "state": "raised"},
                "create": {"url": "/workOrders", "body": DUE},
                "lookup": {"url": "/workOrders?external_id={natural_id}"},
                "update": {"method": "PATCH", "url": "/workOrders/{remote_id}", "body": {"description": "{message}"}},
                "object": {"key": "{path}/{name}"},
            }
        ],
    }
)


class Target:
    """A CMMS in memory."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []

    async def ask(
        self, method: str, url: str, success: Any, values: Any, body: Any = None, *more: Any, **named: Any
    ) -> Answer:
        number = urlsplit(url).path.rpartition("/")[2]
        if method == "POST":
            self.orders.append({"id": len(self.orders) + 1, **body})
            return Answer(201, {}, json.dumps(self.orders[-1]))
        if not number.isdigit():
            wanted = parse_qs(urlsplit(url).query)["external_id"][0]
            return Answer(200, {}, json.dumps([one for one in self.orders if one["external_id"] == wanted]))
        self.orders[int(number) - 1] |= body
        return Answer(200, {}, json.dumps(self.orders[int(number) - 1]))


def revised(revision: int, **more: Any) -> Derived:
    [example] = [record for record in EXAMPLES if isinstance(record, Condition)]
    return msgspec.structs.replace(
        example, id=f"{example.natural_id}:{revision}", revision=revision, ended_at=None, status="provisional", **more
    )


def test_one_order_a_cause_with_the_time_to_act_by(tmp_path: Any) -> None:
    target, ledger = Target(), ObjectLedger(tmp_path, [CONFIG.requests[0].known_as])
    shared = Shared(Objects(CONFIG, target, ledger), target, ledger)  # type: ignore[arg-type]
    [mapping] = CONFIG.requests
    story = [
        revised(0, severity="medium", message="rises"),
        revised(1, severity="high", message="fails in 40 h"),
        revised(2, severity="high", message="fails in 30 h"),
        revised(2, severity="high", message="fails in 30 h"),
    ]
    for record in story:
        asyncio.run(shared.put(mapping, record))
    [order] = target.orders
    assert order["title"] == "line-1 filler: main-bearing (Vibration)"
    assert order["description"] == "fails in 30 h"
    assert order["priority"] == "HIGH"
    assert order["external_id"] == story[0].natural_id
    assert order["due"] is not None
