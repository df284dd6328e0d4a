"""Random lives of two machines, folded under every kind of KPI definition; each folded once a session."""

import random
from functools import cache
from typing import NamedTuple

from schemas.records import Derived
from tests.harness.line_logs import HOUR, T0, Run, Told, plant, ticks
from tests.harness.line_scenarios import scenario
from topology.model.kpis import selected
from uns.history.kpi.diff import Side
from uns.history.kpi.sides import Plans, keep

LABELS = ("iso22400@1", "iso22400@2", "nakajima@1", "semi-e79@1", "vdi3423@1", "acme@1")
SEEDS = (0, 1)
START, END = T0 - 24 * HOUR, T0 + 48 * HOUR


class Lived(NamedTuple):
    """A history under one definition."""

    side: Side
    plans: Plans
    records: list[Derived]


@cache
def lived(seed: int, label: str) -> Lived:
    """The random life of a seed under a definition."""
    return told(label, [*scenario(random.Random(seed)).punctual(), *ticks(T0 + 4 * HOUR, T0 + 20 * HOUR, HOUR)])


def told(label: str, log: list[Told]) -> Lived:
    """A log under a definition."""
    model = plant(label)
    run, plans = Run(model).feed(log), Plans(model)
    for offset, (path, record) in enumerate(log):
        plans.saw(path, record, offset)
    kept: dict[str, Derived] = {}
    for said in run.records:
        keep(kept, said, START, END)
    return Lived(Side(selected(model), [*kept.values()]), plans, run.records)
