"""What a sample of uncertain quality is, for every role, and whether it is a sign of life."""

import pytest

from processors.cell.cell import Cell
from processors.inputs.line_facts import LineFacts
from processors.output.ledger import Ledger
from processors.timeline.elements import Elements
from processors.timeline.timeline import Names
from processors.units import INF
from schemas.records import Sample, Samples, Value
from tests.harness.line_logs import BAD, CELL, EXECUTE, LINE, T0, TOPIC, S, plant
from topology.model.kpis import selected
from topology.namespace.path import Path

UNCERTAIN, LAST_USABLE, NO_COMMUNICATION = 0x40000000, 0x40900000, 0x408F0000
INITIAL, NOT_ACCURATE_AND_HIGH, RESERVED = 0x40920000, 0x40930600, 0xC0000000
VALUES: dict[str, Value] = {
    "State": EXECUTE,
    "Mode": 4,
    "Good": 7,
    "Energy": 1.5,
    "StopReason": 101,
    "FillVolume": 500.0,
}


def cell(uncertain: str) -> Cell:
    model = plant()
    kind = model.types["filler"].model_copy(update={"uncertain": uncertain})
    line = LineFacts(Path.parse(LINE), model)
    return Cell(CELL, line, kind, Ledger(CELL, "iso22400@1", TOPIC, 0), Names(), Elements(selected(model)))


def counts(of: Cell, tag: str, quality: int) -> bool:
    """Whether a sample of a tag is the cell's newest of it: a bad state and mode are unknown."""
    assert of.take(Samples("plc", 1, (Sample(tag, T0, VALUES[tag], quality),)), 0, 0, INF) == []
    if tag == "FillVolume":
        return len(of.measurements[tag]) == 1
    entry = of.series[tag].in_force(T0)
    return entry is not None and not (tag in ("State", "Mode") and of.names.texts[entry.value] == "unknown")


@pytest.mark.parametrize("tag", VALUES)
@pytest.mark.parametrize(
    ("quality", "used", "alive"),
    [
        (0, True, True),
        (UNCERTAIN, True, True),
        (NOT_ACCURATE_AND_HIGH, True, True),
        (LAST_USABLE, True, False),
        (NO_COMMUNICATION, True, False),
        (INITIAL, False, False),
        (RESERVED, False, False),
        (BAD, False, False),
    ],
)
def test_what_was_measured_counts_and_what_is_only_remembered_is_no_sign_of_life(
    tag: str, quality: int, used: bool, alive: bool
) -> None:
    of = cell("use")
    assert counts(of, tag, quality) is used
    assert (of.timeline.life.last_seen == T0) is alive
    (slot,) = [slot for name, slot in of.tags.items() if name == tag]
    assert slot.newest is not None
    assert slot.newest.quality == quality, "the snapshot shows it as it came"


@pytest.mark.parametrize("tag", VALUES)
@pytest.mark.parametrize("quality", [UNCERTAIN, NOT_ACCURATE_AND_HIGH, LAST_USABLE, INITIAL, BAD])
def test_a_type_may_refuse_it(tag: str, quality: int) -> None:
    of = cell("refuse")
    assert not counts(of, tag, quality)
    assert of.timeline.life.last_seen is None
    assert counts(cell("refuse"), tag, 0)


def test_a_machine_of_which_only_the_last_usable_value_is_told_falls_silent() -> None:
    of = cell("use")
    for second in range(0, 300, 10):
        sample = Sample("State", T0 + second * S, EXECUTE, 0 if second < 60 else NO_COMMUNICATION)
        of.take(Samples("plc", second + 1, (sample,)), 0, 0, INF)
    of.listen(T0 + 300 * S)
    states = [(i.state, (i.end - i.start) // S) for i in of.intervals(T0, T0 + 300 * S, T0 + 300 * S)]
    assert states == [("execute", 50), ("unknown", 250)]
