"""What every measurement of a sink gets, and the records that they all write."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.records import Sample, Samples
from sinks.base import Delivery
from topology.namespace.classes import MessageClass

T0_US = 1_795_413_600_000_000
RAW = "uns.bench.site.area.raw"
BATCH = 2_000
"""Records of one `write`, as the runner hands them over at most."""


@dataclass(frozen=True)
class Job:
    """`folder` is the section's own, and goes afterwards."""

    runs: int
    samples: int
    """Of one run."""
    folder: Path
    say: Callable[[str], None]


def deliveries(samples: int, machines: int = 10, tags: int = 20) -> list[Delivery]:
    """So many doubles of ten machines that say twenty tags once a second, a record each, as they stand in a raw topic."""
    found = []
    for number in range(samples // tags):
        machine, second = number % machines, number // machines
        at = T0_US + second * 1_000_000 + machine * 1_733
        values = tuple(Sample(f"Tag{tag:02}", at, 20.0 + (number * 7 + tag * 13) % 9973 / 7) for tag in range(tags))
        path = f"bench/site/area/line/machine-{machine}"
        record = Samples("plc", second + 1, values)
        found.append(Delivery(RAW, 0, number, path, MessageClass.RAW, record, at + 500_000))
    return found


def batches(found: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    """As the runner hands them over."""
    for begin in range(0, len(found), BATCH):
        yield found[begin : begin + BATCH]


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """DSN of the PostgreSQL that `UNS_POSTGRES` names, else of one that is started."""
    if address := os.environ.get("UNS_POSTGRES"):
        yield address
        return
    from uns.local.postgres import Postgres

    with Postgres(folder / "postgres") as server:
        yield server.address
