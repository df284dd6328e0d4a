"""A look at what a connector reads, without Kafka: nothing is kept, nothing acknowledged, so that it comes again."""

import asyncio
from contextlib import aclosing
from typing import Any

from connectors.base import Batch, Connector, FactReading, Malformed, Reading, SourceUnavailable
from schemas.text import iso, to_plain
from topology.model.plant import Plant
from uns.errors import ServiceError, UserError
from uns.model.components import connector_spec
from uns.runners.connector.ledger import FOLDER
from uns.runtime.lock import FolderLock
from uns.runtime.settings import Settings


def preview(settings: Settings, plant: Plant, name: str, count: int, wait_s: float) -> list[dict[str, Any]]:
    """The first `count` units that a source says within `wait_s`, as JSON values.

    Raises `UserError` when the source is away, says nothing, or is being read by this connector already.
    """
    model = plant.connectors[name]
    spec = connector_spec(model.protocol)
    connector = spec.build(name, spec.config.model_validate(model.config))
    try:
        lock = FolderLock(settings.state_dir / FOLDER / name, orphan_s=0)
    except ServiceError as error:
        raise UserError(f"connector {name} runs; two at once would take the source from each other. {error}") from error
    try:
        found = asyncio.run(_read(connector, count, wait_s))
    except SourceUnavailable as error:
        raise UserError(str(error)) from error
    finally:
        lock.release()
    if not found:
        raise UserError(f"connector {name}: the source is open and said nothing in {wait_s:g} s")
    return [_readable(one) for one in found]


async def _read(connector: Connector, count: int, wait_s: float) -> list[Reading | FactReading | Malformed]:
    found: list[Reading | FactReading | Malformed] = []
    try:
        await connector.open({})
        stream = connector.batches()
        async with aclosing(stream):  # type: ignore[type-var]
            try:
                async with asyncio.timeout(wait_s):
                    async for batch in stream:
                        found += _parts(batch)
                        if len(found) >= count:
                            break
            except TimeoutError:
                pass  # what came is shown
    finally:
        await connector.close()
    return found[:count]


def _parts(batch: Batch) -> list[Reading | FactReading | Malformed]:
    return [*batch.readings, *batch.facts, *batch.malformed]


def _readable(one: Reading | FactReading | Malformed) -> dict[str, Any]:
    match one:
        case Reading():
            sample = one.sample
            return {"path": str(one.path), "tag": sample.tag, "at": iso(sample.at), "value": sample.value, "quality": sample.quality}  # fmt: skip
        case FactReading():
            return {"path": str(one.path)} | to_plain(one.fact)
        case Malformed():
            return {
                "path": str(one.path) if one.path else None,
                "malformed": one.reason,
                "message": one.message,
                "payload": one.payload[:200].decode(errors="replace"),
            }
