"""Plants with alarm rules, folds over what they say, and the newest revision of each alert."""

from collections.abc import Iterable
from typing import Any

from schemas.records import Alert, Shelve
from tests.harness.line_logs import CELL, Run, Told, plant
from topology.model.plant import Plant


def alarmed(rules: dict[str, Any], own: dict[str, Any] | None = None) -> Plant:
    """The two machines of one type, with these alarm rules. `own`: those of the filler alone."""
    model = plant().model_dump(mode="json", exclude_unset=True)
    model["types"]["filler"]["alarms"] = rules
    cells = model["namespace"]["sites"]["dallas"]["areas"]["packaging"]["lines"]["line-1"]["cells"]
    if own is not None:
        cells["filler"] = {"type": "filler", "alarms": own}
    return Plant.model_validate(model)


def alerts(run: Run, kind: str | None = None, path: str = CELL) -> list[Alert]:
    """The newest revision of each alert of a machine that was not taken back, by begin."""
    newest: dict[str, Alert] = {}
    for record in run.records:
        if isinstance(record, Alert) and record.path == path and (kind is None or record.kind == kind):
            newest[record.natural_id] = record
    return sorted((of for of in newest.values() if not of.withdrawn), key=lambda of: (of.started_at, of.natural_id))


def shelve(start: int, end: int, alarm: str = "*", name: str = "s1", path: str = CELL) -> Told:
    return path, Shelve(id=name, alarm=alarm, started_at=start, ended_at=end, by="anna")


def told(model: Plant, log: Iterable[Told]) -> Run:
    """A fold that has heard a log."""
    run = Run(model)
    run.feed(log)
    return run
