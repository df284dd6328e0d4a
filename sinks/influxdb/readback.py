"""Reads points back by InfluxQL, for `uns sink verify`. Version 1 has it, 2 and 3 document the same endpoint.

The key of a point is what tells records apart (path and tag; path, kind of id and definition) and its time: a point that
another hand wrote beside ours, in a series with more tags, is there twice.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

from schemas.records import DERIVED_TYPES, Derived, Samples
from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.influxdb.config import InfluxdbConfig
from sinks.influxdb.points import SAMPLES, Points
from sinks.kit.batches import Row
from sinks.kit.cells import always, of_cells, of_record, of_row, of_sample
from sinks.kit.columns import BadColumns, id_kind
from sinks.kit.digest import digest
from sinks.kit.http import HttpTarget

CHUNK = 5_000
"""Points of one line of the answer."""
_FIELDS = "fields"
_DEFINITION = "definition"


def wanted(config: InfluxdbConfig, delivery: Delivery) -> Iterable[Wanted]:
    """A point for every sample, and for every derived record that can be one."""
    record = delivery.record
    if isinstance(record, Samples):
        for sample, row in zip(record.samples, Points("").of(delivery), strict=True):
            if isinstance(row, Row):
                told = digest(of_sample(sample.value, sample.quality))
                yield Wanted(_key(SAMPLES, delivery.key, sample.tag, at=sample.at), sample.at, 0, told)
    elif isinstance(record, Derived) and any(isinstance(row, Row) for row in Points("").of(delivery)):
        try:
            told = digest(_without_tags(of_record(record)))
        except BadColumns:
            return
        key = _key(record.message_class, record.path, id_kind(record), record.definition, at=record.started_at)
        yield Wanted(key, record.started_at, record.revision, told)


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
            for series in result.get("series", ()):
                for values in series["values"]:
                    yield series.get("tags", {}), dict(zip(series["columns"], values, strict=True))


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
        return Found(_key(SAMPLES, path, tags["tag"], at=at), digest(of_row(row)))
    key = _key(measurement, path, tags.get("id_kind", ""), tags.get(_DEFINITION, ""), at=at)
    # What an earlier revision had and this one has not is still there: `fields` says what counts.
    present = {*always(measurement), *str(row.get(_FIELDS) or "").split(",")}
    counts = {name: value for name, value in row.items() if name in present}
    return Found(key, digest(_without_tags(of_cells(measurement, counts))))


def _without_tags(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != _DEFINITION}


def _key(*names: str, at: int) -> str:
    return " ".join((*names, str(at)))


def left_out(config: InfluxdbConfig) -> Iterable[str]:
    yield "what is older than the retention of the database is gone, and told as missing: begin behind it"
    if config.version != 1:
        yield "it is read by /query (InfluxQL), which was tried on version 1"


verification = Verification(wanted, found, left_out)
