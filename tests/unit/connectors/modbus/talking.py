"""A connector in conversation with scripted devices, and what it was heard to say."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from connectors.base import Batch, Malformed, Reading
from connectors.kit.polling.quality import (
    GOOD,
)
from connectors.modbus.config import ModbusConfig
from connectors.modbus.connector import ModbusConnector
from tests.unit.connectors.modbus.scripted import Answer, Request, device
from uns.testing.patience import patient

PATH = "acme/dallas/packaging/line-1/filler"
OTHER = "acme/dallas/packaging/line-1/capper"
A = {"A": {"address": 0}}


def build(*links: dict[str, Any]) -> ModbusConnector:
    return ModbusConnector("test", ModbusConfig.model_validate({"links": links}))


def link(url: str, tags: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    device: dict[str, Any] = {
        "path": PATH,
        "period_s": options.pop("period_s", 0.05),
        "tags": A if tags is None else tags,
    }
    device |= {name: options.pop(name) for name in ("unit", "sunspec", "gap", "path") if name in options}
    devices = options.pop("devices", [device])
    return {"url": url, "timeout_s": timeout_s(), "devices": devices, **options}


def timeout_s() -> float:
    """Long enough for an answer out of this very process, however busy the machine is."""
    return patient(0.2)


class Heard:
    """All that a connector says, in order."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.malformed: list[Malformed] = []

    def add(self, batch: Batch) -> None:
        self.readings += batch.readings
        self.malformed += batch.malformed

    def of(self, tag: str, path: str = PATH) -> list[tuple[Any, int]]:
        return [
            (reading.sample.value, reading.sample.quality)
            for reading in self.readings
            if (reading.sample.tag, str(reading.path)) == (tag, path)
        ]

    def has(self, tag: str, value: object, code: int = GOOD, path: str = PATH) -> bool:
        return (value, code) in self.of(tag, path)


async def hear(connector: ModbusConnector, until: Callable[[Heard], object]) -> Heard:
    """Reads on until it is so."""
    heard, stream = Heard(), connector.batches()
    try:
        async with asyncio.timeout(patient(20)):
            async for batch in stream:
                heard.add(batch)
                if until(heard):
                    break
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
    return heard


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(patient(10)):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


def conversation(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that is a conversation."""

    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def sometimes(*answers: Answer) -> Answer:
    """The first request is answered by the first, the second by the second, …, those after by the last."""
    count = 0

    async def answer(request: Request) -> bytes | None:
        nonlocal count
        count += 1
        return await answers[min(count, len(answers)) - 1](request)

    return answer


async def nothing(_request: Request) -> bytes | None:
    return None


GOOD_DEVICE = device(dict.fromkeys(range(200), 5))
