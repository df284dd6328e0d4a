"""A packer over a small plant, and what it is given."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from connectors.base import Batch, Reading
from schemas.codec import Codec
from schemas.records import TYPES, Sample
from tests.harness.line_logs import CELL, plant
from topology.model.wiring import ConnectorEntry, Suppress
from topology.namespace.path import Path
from uns.runners.connector.packing import PackedRecords, Packer
from uns.runners.connector.spool import SpoolEntry

PLANT = plant()
CODEC = Codec({name: number for number, name in enumerate(TYPES, 1)})
RAW, QUARANTINE = "uns.acme.dallas.packaging.raw", "uns-internal.acme.dallas.packaging.quarantine"
NOWHERE = "acme/dallas/packaging/line-9/robot"


class Sequences:
    def __init__(self) -> None:
        self.last: Counter[str] = Counter()

    def __call__(self, path: str) -> int:
        self.last[path] += 1
        return self.last[path]


class Now(Packer):
    """For which everything arrives at one time."""

    def pack(self, batches: Iterable[Batch], now: int = 100) -> PackedRecords:
        return super().pack(batches, now)


def packer(unchanged: bool = False, **deadband: float) -> Now:
    entry = ConnectorEntry(protocol="p", suppress=Suppress(unchanged=unchanged, deadband=deadband), config={})
    return Now("plc", PLANT, CODEC, entry, Sequences())


def reading(value: Any, tag: str = "Tag", at: int = 1, quality: int = 0, path: str = CELL) -> Reading:
    return Reading(Path.parse(path), Sample(tag, at, value, quality))


def readings(*found: Reading) -> list[Batch]:
    return [Batch(readings=found)]


def headers(entry: SpoolEntry) -> dict[str, bytes]:
    return dict(entry.headers)
