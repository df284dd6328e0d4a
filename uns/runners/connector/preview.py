"""A look at what a connector reads, without Kafka: nothing is kept, nothing acknowledged, so that it comes again."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from connectors.base import Batch, Connector, FactReading, Malformed, Reading, Resumes, Said, SourceUnavailable
from schemas.text import iso, to_plain
from topology.model.plant import Plant
from topology.model.wiring import ConnectorEntry
from uns.errors import ServiceError, UserError
from uns.model.components import connector_spec
from uns.runners.connector.ledger import FILE, FOLDER
from uns.runners.connector.remarks import remarks
from uns.runners.connector.shaping import Shaping
from uns.runners.connector.spool import read_cursor
from uns.runtime import clock
from uns.runtime.lock import FolderLock
from uns.runtime.settings import Settings


class Preview(NamedTuple):
    units: list[dict[str, Any]]
    """As JSON values, as a run would publish them."""
    remarks: list[str]
    """What is wrong, a sentence each."""


def preview(settings: Settings, plant: Plant, name: str, count: int, wait_s: float) -> Preview:
    """The first `count` units that a source says within `wait_s`.

    Raises `UserError` when the source is away, says nothing, or is being read by this connector already.
    """
    model = plant.connectors[name]
    spec = connector_spec(model.protocol)
    connector = spec.build(name, spec.config.model_validate(model.config))
    folder = settings.state_dir / FOLDER / name
    try:
        lock = FolderLock(folder, orphan_s=0)
    except ServiceError as error:
        raise UserError(f"connector {name} runs; two at once would take the source from each other. {error}") from error
    try:
        if isinstance(connector, Resumes):
            connector.resume_at(read_cursor(folder / FILE))
        units, problems = asyncio.run(_read(connector, count, wait_s))
    except (SourceUnavailable, sqlite3.Error) as error:
        raise UserError(str(error)) from error
    finally:
        lock.release()
    if not units:
        raise UserError(f"connector {name}: the source is open and said nothing in {wait_s:g} s")
    now = clock.from_spec(settings.clock)()
    shaped = _shaped(units, model, plant, now)
    return Preview([_readable(unit) for unit in shaped], [*problems, *remarks(shaped, plant, now)])


def _shaped(units: list[Said], entry: ConnectorEntry, plant: Plant, now: int) -> list[Said]:
    """As a run would publish them; what its rules leave out is left out here, and nothing is held back."""
    shaping, shaped = Shaping(entry, plant), list[Said]()
    for unit in units:
        shaped += shaping.shape([unit], now).readings if isinstance(unit, Reading) else [unit]
    return [*shaped, *shaping.due(None).readings]


async def _read(connector: Connector, count: int, wait_s: float) -> tuple[list[Said], Sequence[str]]:
    """What it says, and what of it is not read."""
    units: list[Said] = []
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
        problems = connector.problems()
    finally:
        await connector.close()
    return units[:count], problems


def _parts(batch: Batch) -> list[Said]:
    return [*batch.readings, *batch.facts, *batch.malformed]


def _readable(unit: Said) -> dict[str, Any]:
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
