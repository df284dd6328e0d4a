"""A machine that left the plant model: a fold that is restored without it says nothing of it, and keeps what it knew."""

import copy
import random

from processors.base import Input, Rejection
from processors.line import LineFold
from schemas.records import Samples, Tick
from tests.harness.any_history import history, moves, plant
from tests.harness.line_logs import TOPIC
from topology.model.plant import Plant


def test_a_restored_fold_is_silent_about_it_and_keeps_its_state() -> None:
    model = plant(0)
    log = history(model, moves(random.Random(5), 40))
    fold = LineFold(model, TOPIC, 0)
    kept: dict[str, bytes | None] = {}
    for item in log:
        fold.step(item)
        kept.update(fold.changes())
    heard = sorted({item.path for item in log if isinstance(item.record, Samples)})
    gone = heard[-1]
    smaller = without(model, gone)
    again = LineFold(smaller, TOPIC, 0)
    for key, value in kept.items():
        if value is not None:
            again.restore(key, value)
    last = log[-1]
    said = []
    dropped = []
    start = fold.watermark + 3_600_000_000
    for minute in range(180):
        at = start + minute * 60_000_000
        said += again.step(Input(last.path, TOPIC, 0, last.offset + 1 + minute, Tick(at=at, worker="test"), at))
        dropped += [key for key, value in again.changes().items() if value is None and key.startswith(f"{gone}|")]
    assert {record.path for record in said if not isinstance(record, Rejection)} & set(heard) == set(heard) - {gone}
    assert dropped == [], "the machine may come back"


def without(model: Plant, path: str) -> Plant:
    document = copy.deepcopy(model.model_dump(exclude_unset=True))
    _, site, area, line, cell = path.split("/")
    del document["namespace"]["sites"][site]["areas"][area]["lines"][line]["cells"][cell]
    return Plant.model_validate(document)
