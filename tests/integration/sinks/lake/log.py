"""A log of records for a lake, the process that writes it, and a reader of Delta Lake that is none of deltalake's."""

import asyncio
import hashlib
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as parquet

from schemas.records import Order, Record, Sample, Samples
from sinks.base import Delivery
from sinks.lake import spec
from sinks.lake.rows import build
from topology.namespace.classes import MessageClass
from uns.testing import downtime

RAW, DOWNTIME = "uns.acme.dallas.packaging.raw", "uns.acme.dallas.packaging.downtime"
T = 1_795_000_000_000_000
DAY_US = 86_400_000_000


def log(records: int) -> dict[tuple[str, int], list[Delivery]]:
    """Two partitions of raw (samples of three days and two sites, and orders among them) and one of stops with corrections."""
    found: dict[tuple[str, int], list[Delivery]] = {}
    for number in range(records):
        partition = number % 3
        path = f"acme/{('dallas', 'leipzig')[number % 2]}/packaging/line-1/filler"
        at = T + (number % 7 % 3) * DAY_US + number
        record: Record
        if partition == 2:
            place, message_class = (DOWNTIME, 0), MessageClass.DOWNTIME
            record = downtime(number // 2, number % 2, f"reason {number}")
        else:
            place, message_class = (RAW, partition), MessageClass.RAW
            record = Samples("plc", number, tuple(Sample(f"t{n}", at, number + n / 4) for n in range(number % 5)))
            if number % 11 == 0:
                record = Order(id=str(number), product="cola", started_at=at)
        deliveries = found.setdefault(place, [])
        offset = len(deliveries) * 2  # transaction markers take offsets, too
        deliveries.append(Delivery(*place, offset, path, message_class, record, at))
    return found


def write(url: str, records: int, seed: int, kill: tuple[str, int] | None, config: Mapping[str, Any]) -> None:
    """Goes on where the lake says, in batches of random size, until all is written. `kill`: dies before or after so many
    commits, by itself."""
    if kill is not None:
        _die(*kill, iceberg=config.get("format") == "iceberg")
    asyncio.run(_write(url, records, random.Random(seed), config))


def _die(when: str, commits: int, iceberg: bool) -> None:
    import deltalake
    from pyiceberg.table import Table

    import sinks.lake.places
    import sinks.lake.table

    count = 0

    def dying(*args: Any, **options: Any) -> None:
        nonlocal count
        count += 1
        if count == commits and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        bare(*args, **options)
        if count == commits and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    if iceberg:
        bare: Any = Table._do_commit
        Table._do_commit = dying  # type: ignore[method-assign]
        return
    bare = deltalake.write_deltalake
    for module in (sinks.lake.table, sinks.lake.places):
        module.write_deltalake = dying  # type: ignore[attr-defined]


async def _write(url: str, records: int, chance: random.Random, config: Mapping[str, Any]) -> None:
    sink = spec.build("lake", spec.config.model_validate({"url": url, **config}), Path())
    await sink.open()
    positions = dict(await sink.positions() or {})
    waiting = {
        place: [each for each in deliveries if each.offset >= positions.get(place, 0)]
        for place, deliveries in log(records).items()
    }
    while any(waiting.values()):
        batch: list[Delivery] = []
        reached = {}
        for place, deliveries in waiting.items():
            taken = deliveries[: chance.randint(0, 40)]
            waiting[place] = deliveries[len(taken) :]
            batch += taken
            if taken:
                reached[place] = taken[-1].offset + 2
        assert await sink.write(batch, reached) == []
    await sink.close()


def wanted(records: int) -> dict[str, Counter[str]]:
    """Table → hash of each row → how often, straight from the log."""
    deliveries = [each for group in log(records).values() for each in group]
    rejected: list[Any] = []
    built = build(deliveries, rejected)
    assert rejected == []
    return {name: hashes(pa.Table.from_batches(batches)) for name, batches in built.items()}


def stored(url: str, tables: Iterator[str] | list[str]) -> dict[str, Counter[str]]:
    """Likewise, of what is in the lake, read by hand."""
    return {name: hashes(by_hand(Path(url) / name)) for name in tables}


def hashes(table: pa.Table) -> Counter[str]:
    rows = table.select(sorted(table.column_names)).to_pylist()
    return Counter(hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest() for row in rows)


def active(folder: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Path → its add action, and application → version, by the protocol: the last checkpoint, then each commit."""
    added: dict[str, Any] = {}
    versions: dict[str, int] = {}
    begin, logs = 0, folder / "_delta_log"
    if (last := logs / "_last_checkpoint").exists():
        begin = json.loads(last.read_text())["version"] + 1
        for row in parquet.read_table(logs / f"{begin - 1:020}.checkpoint.parquet").to_pylist():
            if (add := row.get("add")) is not None:
                added[add["path"]] = add | {"partitionValues": dict(add["partitionValues"])}
            if (txn := row.get("txn")) is not None:
                versions[txn["appId"]] = txn["version"]
    numbers = sorted(int(file.stem) for file in logs.glob("*.json") if file.stem.isdigit())
    newer = [number for number in numbers if number >= begin]
    assert newer == list(range(begin, begin + len(newer)))
    for number in newer:
        for line in (logs / f"{number:020}.json").read_text().splitlines():
            action = json.loads(line)
            if "remove" in action:
                added.pop(action["remove"]["path"], None)
            if "add" in action:
                added[action["add"]["path"]] = action["add"]
            if "txn" in action:
                versions[action["txn"]["appId"]] = action["txn"]["version"]
    return added, versions


def by_hand(folder: Path) -> pa.Table:
    """The rows of a table: each file that the log names, with the values of its partition."""
    parts = []
    for path, add in active(folder)[0].items():
        table = parquet.read_table(folder / unquote(path), partitioning=None)
        site, day = add["partitionValues"]["site"], add["partitionValues"]["day"]
        table = table.append_column("site", pa.array([site] * len(table), pa.string()))
        parts.append(table.append_column("day", pa.array([day] * len(table), pa.string()).cast(pa.date32())))
    return pa.concat_tables(parts, promote_options="permissive")
