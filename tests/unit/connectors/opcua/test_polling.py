"""Servers that refuse to watch: what they let be read is read, and asked to be watched again."""

import time
from itertools import count
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.monitored_item_service import MonitoredItemService

from connectors.opcua import connector as module
from connectors.opcua import retry
from connectors.opcua.items import Item
from connectors.opcua.poller import Poller
from schemas.records import Sample
from tests.unit.connectors.opcua.test_conversation import FILLER, Plant, read, run
from uns.testing.patience import patient
from uns.testing.source import T0


def values(told: list[tuple[str, Sample]], tag: str) -> list[Any]:
    return [sample.value for _, sample in told if sample.tag == tag]


def test_a_server_without_subscriptions_is_read_and_watched_once_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_S", (0.2, 0.2))
    monkeypatch.setattr(module, "PROBE_S", 0.1)

    async def test(one: Plant) -> None:
        one.server.iserver.max_subscriptions = 0
        connector = one.connector({"path": FILLER, "node": "ns=2;s=filler"}, poll_interval_ms=20)
        await connector.open({})
        told = await read(connector, lambda told: 6 in values(told, "State"), one.write("filler.State", 6, T0))
        assert values(told, "State") in ([0, 6], [6]), "each change once"
        (at,) = {sample.at for _, sample in told if sample.value == 6}
        assert at == T0, "the source's own time"
        (problem,) = connector.problems()
        assert problem == "2 of 2 variables are polled, the server does not watch them: BadTooManySubscriptions"
        assert connector.healthy()
        await one.server.delete_nodes([one.nodes["filler.Good"]])
        told = await read(connector, lambda told: "Good" in {sample.tag for _, sample in told})
        assert told[-1][1].quality == ua.StatusCodes.BadNodeIdUnknown
        one.server.iserver.max_subscriptions = 100
        deadline = time.monotonic() + patient(20)
        for n in count(7):
            await read(connector, lambda told, n=n: n in values(told, "State"), one.write("filler.State", n, T0 + n))  # type: ignore[misc]
            if not any("polled" in problem for problem in connector.problems()):
                break
            assert time.monotonic() < deadline, connector.problems()
        (problem,) = connector.problems()
        assert problem.startswith("1 of 2 variables are not read: ")
        await read(connector, lambda told: -1 in values(told, "State"), one.write("filler.State", -1, T0 + n + 1))
        await connector.close()

    run(test)


def test_what_has_no_room_is_read_beside_what_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with room for one item: no subscription takes a second one."""
    plain, taken = MonitoredItemService.create_monitored_items, list[int]()

    async def full(self: MonitoredItemService, params: ua.CreateMonitoredItemsParameters) -> Any:
        asked, results = params.ItemsToCreate, []
        for one in asked:
            if taken:
                results.append(
                    ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems))
                )
                continue
            params.ItemsToCreate = [one]
            taken.append(1)
            results += await plain(self, params)
        return results

    monkeypatch.setattr(MonitoredItemService, "create_monitored_items", full)

    async def test(one: Plant) -> None:
        connector = one.connector({"path": FILLER, "node": "ns=2;s=filler"}, poll_interval_ms=20)
        await connector.open({})
        assert connector.problems() == [
            "1 of 2 variables are polled, the server does not watch them: BadTooManyMonitoredItems"
        ]

        async def write() -> None:
            await one.write("filler.State", 6, T0)
            await one.write("filler.Good", 7, T0 + 1)

        told = await read(connector, lambda told: {6, 7} <= {s.value for _, s in told}, write())
        assert {s.tag: s.at for _, s in told if s.value in (6, 7)} == {"State": T0, "Good": T0 + 1}
        await connector.close()

    run(test)


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [(1.5, 1.5, False), (1.5, 2.5, True), (float("nan"), float("nan"), False), ([1], [1], False), ([1], [2], True)],
    ids=["same", "other", "nan", "array", "other array"],
)
def test_news_is_another_value_or_status(before: Any, after: Any, news: bool) -> None:
    told: list[Any] = []
    poller = Poller(None, None, lambda handle, value: told.append(value), None)  # type: ignore[arg-type]
    item = Item(0, ua.NodeId(1, 2))
    for value in (before, after):
        poller._saw(item, ua.DataValue(ua.Variant(value)))
    assert len(told) == 1 + news
    poller._saw(item, ua.DataValue(ua.Variant(after), ua.StatusCode(ua.StatusCodes.BadNoCommunication)))
    assert len(told) == 2 + news
