"""What became of a work order: it is checked as every fact, lands in the log, and decides no number."""

import msgspec
import pytest

from processors.base import Rejection
from schemas.records import Raw, WorkOrder
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, Run, plant, samples, tick
from tests.harness.restarts import encoded

DONE = WorkOrder(
    id="WO-17", status="done", started_at=T0, ended_at=T0 + 20 * MINUTE, code="bearing worn", labour_s=2100.0
)


def told(one: tuple[str, Raw]) -> list[bytes]:
    """What a stop says with this told in its midst."""
    stopped = samples(T0 + 10 * MINUTE, {"State": 9}, path=CELL)
    again = samples(T0 + 20 * MINUTE, {"State": 6, "Good": 5}, path=CELL)
    run = Run(plant())
    run.feed([samples(T0, {"State": 6, "Good": 0}, path=CELL), tick(T0), stopped, one, again, tick(T0 + 3 * HOUR)])
    return [encoded(output) for output in run.outputs]


@pytest.mark.parametrize("path", [CELL, LINE])
@pytest.mark.parametrize("since", [T0, T0 - 400 * 24 * HOUR], ids=["now", "a year ago"])
def test_it_changes_no_record(path: str, since: int) -> None:
    order = msgspec.structs.replace(DONE, started_at=since, ended_at=since + HOUR)
    said = told((path, order))
    assert said == told(tick(T0)), "as a tick that is not newer"
    assert len(said) > 3


@pytest.mark.parametrize(
    ("path", "record", "reason"),
    [
        (f"{LINE}/nothing", DONE, "unknown_path"),
        (CELL, WorkOrder(id="W", status="x" * 200, started_at=T0), "too_long"),
        (CELL, WorkOrder(id="W", status="done", started_at=T0, ended_at=T0 - 1), "bad_interval"),
        (CELL, WorkOrder(id="W", status="done", started_at=5), "out_of_range"),
        (CELL, WorkOrder(id="W", status="done", started_at=T0, labour_s=-1.0), "out_of_range"),
        (CELL, WorkOrder(id="W", status="done", started_at=T0, labour_s=float("nan")), "out_of_range"),
    ],
)
def test_what_cannot_be_is_refused(path: str, record: WorkOrder, reason: str) -> None:
    run = Run(plant())
    run.feed([tick(T0), (path, record)])
    assert [output.reason for output in run.outputs if isinstance(output, Rejection)] == [reason]
