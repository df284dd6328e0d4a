"""Reads points back by InfluxQL, for `uns sink verify`. Version 1 has it, 2 and 3 document the same endpoint.

The key of a point is what tells records apart (path and tag; path, kind of id and definition) and its time: a point that
another hand wrote beside ours, in a series with more tags, is there twice.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

from schemas.records import DERIVED_TYPES
from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.influxdb.config import InfluxdbConfig
from sinks.influxdb.points import SAMPLES, Points
from sinks.kit import series
from sinks.kit.cells import always, of_cells, of_row
from sinks.kit.digest import digest
from sinks.kit.http import HttpTarget

CHUNK = 5_000
"""Points of one line of the answer."""
_FIELDS = "fields"
_DEFINITION = "definition"


def wanted(config: InfluxdbConfig, delivery: Delivery) -> Iterable[Wanted]:
    """A point for every sample, and for every derived record that can be one."""
    return series.wanted(delivery, list(Points("").of(delivery)), SAMPLES, {_DEFINITION})


async def found(
    name: str,
    config: InfluxdbConfig,
    folder: FilePath,
    begin: int,
    end: int,
    expected: Callable[[], Iterator[Wanted]],
) -> AsyncIterator[Found]:
    """Measurement after measurement, in chunks. Raises `Retryable`."""
    target = HttpTarget(name, config, config.scheme)
    try:
        for measurement in (SAMPLES, *(kind.message_class for kind in DERIVED_TYPES)):
            async for tags, row in _points(target, config, measurement, begin, end):
                each = _found(measurement, tags, row)
                if each is not None:
                    yield each
    finally:
        await target.close()


async def _points(
    target: HttpTarget, config: InfluxdbConfig, measurement: str, begin: int, end: int
) -> AsyncIterator[tuple[dict[str, str], dict[str, Any]]]:
    """(tags, fields and time by name) of each."""
    query = (
        f'SELECT * FROM "{config.measurement_prefix}{measurement}" WHERE time >= {begin}u AND time < {end}u GROUP BY *'
    )
    asked = {**config.reading, "q": query, "epoch": "u", "chunked": "true", "chunk_size": str(CHUNK)}
    where = f"sink {target.name}: {target.where('GET', '/query')}: {config.place}"
    async for line in target.lines("/query", asked):
        if not line.strip():
            continue
        for result in _results(line, where):
            for found_in in result.get("series", ()):
                for values in found_in["values"]:
                    yield found_in.get("tags", {}), dict(zip(found_in["columns"], values, strict=True))


def _results(line: str, where: str) -> list[dict[str, Any]]:
    """Raises `Retryable`."""
    try:
        body = json.loads(line, strict=False)
        results: list[dict[str, Any]] = body.get("results", [])
        said = body.get("error") or next((one["error"] for one in results if "error" in one), None)
    except (ValueError, AttributeError, TypeError) as error:
        raise Retryable(f"{where}: this is no answer of InfluxDB: {line[:200]}; check url and version") from error
    if said is not None:
        raise Retryable(f"{where}: {said}")
    return results


def _found(measurement: str, tags: dict[str, str], row: dict[str, Any]) -> Found | None:
    """None: it is none of ours."""
    at, path = row.pop("time"), tags.get("path")
    if path is None:
        return None
    if measurement == SAMPLES:
        if "tag" not in tags:
            return None
        return Found(series.key(SAMPLES, path, tags["tag"], at=at), digest(of_row(row)))
    key = series.key(measurement, path, tags.get("id_kind", ""), tags.get(_DEFINITION, ""), at=at)
    # What an earlier revision had and this one has not is still there: `fields` says what counts.
    present = {*always(measurement), *str(row.get(_FIELDS) or "").split(",")}
    counts = {name: value for name, value in row.items() if name in present}
    return Found(key, digest(_without_tags(of_cells(measurement, counts))))


def _without_tags(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != _DEFINITION}


def left_out(config: InfluxdbConfig) -> Iterable[str]:
    yield "what is older than the retention of the database is gone, and told as missing: begin behind it"
    if config.version != 1:
        yield "it is read by /query (InfluxQL), which was tried on version 1"


verification = Verification(wanted, found, left_out)
