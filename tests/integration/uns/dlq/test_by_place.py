"""Sinks that know by its place in the log what they have written are given a record again, on real Kafka, killed or not."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.harness import eventually
from tests.integration.uns.dlq.test_dlq import Desk
from tests.integration.uns.runners.sink.site import DEADLINE_S
from topology.namespace.classes import MessageClass
from topology.namespace.topics import partition
from uns.kafka import lag
from uns.testing import downtime

Found = Callable[[], Counter[str]]
"""Reasons of the stops that the target has."""


def lake(folder: Path) -> tuple[dict[str, Any], Found]:
    def found() -> Counter[str]:
        return Counter(row["reason"] for row in DeltaTable(folder / "lake" / "downtime").to_pyarrow_table().to_pylist())

    return {"url": str(folder / "lake"), "commit_s": 1}, found


def files(folder: Path) -> tuple[dict[str, Any], Found]:
    (folder / "files").mkdir()

    def found() -> Counter[str]:
        lines = [line for part in (folder / "files").rglob("*.jsonl*") for line in part.read_text().splitlines()]
        return Counter(json.loads(line)["reason"] for line in lines)

    return {
        "folder": str(folder / "files"),
        "files": [{"record": "downtime", "format": "jsonl", "name": "stops"}],
    }, found


@pytest.mark.long
@pytest.mark.parametrize("target", [lake, files])
def test_what_a_target_refused_is_there_once_and_resolved(
    target: Callable[[Path], tuple[dict[str, Any], Found]], tmp_path: Path, kafka: str, registry: str, enterprise: str
) -> None:
    config, found = target(tmp_path)
    kind = target.__name__
    desk = Desk(tmp_path, kafka, registry, enterprise, kind, config)
    cell = desk.cells[0]
    for n in range(5):
        desk.tell(cell, downtime(n, reason=f"stop {n}", path=str(cell)))
    desk.producer.flush()
    try:
        desk.start()
        desk.drained()
        # Refused at a place that the target's own position has passed long since.
        late = desk.codec.encode(downtime(9, reason="refused once", path=str(cell)))
        origin = {"topic": desk.topic(MessageClass.DOWNTIME), "partition": partition(cell, 2), "offset": 1}
        desk.refused(late, 0, connector=kind, stage="TASK_PUT", reason="unfit", **origin)
        desk.producer.flush()
        eventually(lambda: desk.running() and desk.dlq("list")["count"] == 1, DEADLINE_S, "it is open")
        assert desk.dlq("retry", "--all", "--yes")["given"] == 1
        eventually(lambda: desk.running() and desk.states() == Counter(resolved=1), DEADLINE_S, "it is resolved")
        wanted = Counter({**{f"stop {n}": 1 for n in range(5)}, "refused once": 1})
        assert found() == wanted
        eventually(lambda: lag.total(desk.settings, desk.group) == 0, DEADLINE_S, "the topic of retries is behind it")
        assert desk.child is not None
        desk.child.kill()
        desk.start()
        desk.drained()
        desk.tell(cell, downtime(5, reason="stop 5", path=str(cell)))
        desk.producer.flush()
        eventually(lambda: desk.running() and found()["stop 5"] == 1, DEADLINE_S, "it goes on")
        assert found() == wanted + Counter({"stop 5": 1})
    finally:
        desk.stop()
