"""What the tests of the mirror share: a mirror that is written to as the runner does, and records for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from schemas.records import Current, Derived
from sinks.base import Delivery, Retryable, Sink, Unwritten
from sinks.mqtt import spec
from tests.harness.records import EXAMPLES
from topology.namespace.classes import MessageClass
from uns.testing.patience import patient

T = 1_795_000_000_000_000
PATHS = tuple(f"acme/dallas/packaging/line-{line}/cell-{cell}" for line in (1, 2) for cell in range(5))
_EXAMPLE = {type(record): record for record in EXAMPLES if isinstance(record, Derived)}


def of(kind: type[Derived], path: str, number: int, revision: int = 0, name: str = "", **more: Any) -> Any:
    """A record of a class at a path; `number` is its minute and `name` what tells it from others of the class."""
    started_at = T + number * 60_000_000
    natural_id = f"{path}#{kind.id_kind or kind.message_class}{name}@{number}~iso22400@1"
    times = {"started_at": started_at, "ended_at": started_at + 30_000_000}
    fields = {"id": f"{natural_id}:{revision}", "path": path, "revision": revision, **times}
    return msgspec.structs.replace(_EXAMPLE[kind], **(fields | more))


def snapshot(path: str, number: int, **tags: Any) -> Any:
    """The `current` of a path, with these tags."""
    [tag, *_] = _EXAMPLE[Current].tags  # type: ignore[attr-defined]
    values = tuple(msgspec.structs.replace(tag, tag=name, value=value) for name, value in tags.items())
    return of(Current, path, number, tags=values)


def delivered(records: Sequence[Derived], first: int = 0) -> list[Delivery]:
    """As they come from Kafka, in this order."""
    return [
        Delivery(f"uns.acme.{one.message_class}", 0, first + n, one.path, MessageClass(one.message_class), one, T + n)
        for n, one in enumerate(records)
    ]


def config(url: str, **more: Any) -> dict[str, Any]:
    return {"broker": url, "client_id": "mirror", "keep_alive_s": 2, "answer_timeout_s": patient(10), **more}


@asynccontextmanager
async def mirror(options: dict[str, Any], folder: Path) -> AsyncIterator[Sink]:
    sink = spec.build("mirror", spec.config.model_validate(options), folder)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def patiently(sink: Sink, deliveries: Sequence[Delivery]) -> Sequence[Unwritten]:
    """As the runner does: again from the same place, in order, over a sink that is opened anew."""
    broken = False
    async with asyncio.timeout(patient(120)):
        while True:
            try:
                if broken:
                    await sink.open()
                return await sink.write(deliveries, {})
            except Retryable:
                broken = True
                await asyncio.sleep(0.05)
