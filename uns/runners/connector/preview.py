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
        units = asyncio.run(_read(connector, count, wait_s))
    except SourceUnavailable as error:
        raise UserError(str(error)) from error
    finally:
        lock.release()
    if not units:
        raise UserError(f"connector {name}: the source is open and said nothing in {wait_s:g} s")
    return [_readable(unit) for unit in units]


async def _read(connector: Connector, count: int, wait_s: float) -> list[Reading | FactReading | Malformed]:
    units: list[Reading | FactReading | Malformed] = []
    try:
        await connector.open({})
        stream = connector.batches()
        async with aclosing(stream):  # type: ignore[type-var]
            try:
                async with asyncio.timeout(wait_s):
                    async for batch in stream:
                        units += _parts(batch)
                        if len(units) >= count:
                            break
            except TimeoutError:
                pass  # what came is shown
    finally:
        await connector.close()
    return units[:count]


def _parts(batch: Batch) -> list[Reading | FactReading | Malformed]:
    return [*batch.readings, *batch.facts, *batch.malformed]


def _readable(unit: Reading | FactReading | Malformed) -> dict[str, Any]:
    match unit:
        case Reading():
            sample = unit.sample
            return {"path": str(unit.path), "tag": sample.tag, "at": iso(sample.at), "value": sample.value, "quality": sample.quality}  # fmt: skip
        case FactReading():
            return {"path": str(unit.path)} | to_plain(unit.fact)
        case Malformed():
            return {
                "path": str(unit.path) if unit.path else None,
                "malformed": unit.reason,
                "message": unit.message,
                "payload": unit.payload[:200].decode(errors="replace"),
            }
