"""One cell by itself, without a fold around it: what it hears, and a tick's look at it."""

from processors.cell.cell import Cell
from processors.inputs.line_facts import LineFacts
from processors.output.ledger import Ledger
from processors.spans import merged
from processors.timeline.elements import Elements
from processors.timeline.timeline import Names
from processors.timeline.view import Moment, View
from processors.units import INF
from schemas.records import Inputs, Order, Sample, Samples, Shift, Value
from tests.harness.line_logs import CELL, LINE, TOPIC, S, plant
from topology.model.kpis import selected
from topology.namespace.path import Path

TICK_OFFSET = 999


def make_cell(definition: str = "iso22400@1") -> Cell:
    """The filler, of which nothing has been heard."""
    model = plant(definition)
    line = LineFacts(Path.parse(LINE), model)
    ledger = Ledger(CELL, definition, TOPIC, 0)
    return Cell(CELL, line, model.types["filler"], ledger, Names(), Elements(selected(model)))


def hear(cell: Cell, at: int, offset: int = 0, **values: Value) -> None:
    """Samples of one time, in a record that is its source's `offset`-th."""
    samples = tuple(Sample(tag, at, value, 0) for tag, value in values.items())
    refused = cell.take(Samples("plc", offset, samples), offset, 0, INF)
    assert not refused


def tell(cell: Cell, *facts: Order | Shift) -> None:
    """Orders and shifts of the line, before anything is derived."""
    for fact in facts:
        cell.line.facts.put(fact, 0)
        cell.line.first_told(fact)
    cell.reschedule()


def look(cell: Cell, now: int, watermark: int | None = None, *, since: int | None = None, flush: bool = True) -> View:
    """A tick's view of all that changed since `since` (the first sign of life by default)."""
    assert cell.born is not None
    inputs = Inputs(TOPIC, 0, TICK_OFFSET, TICK_OFFSET)
    watermark = now if watermark is None else watermark
    moment = Moment(now, watermark, 0, flush, flush, False, 60 * S, inputs)
    begin = cell.born
    spans = merged([(begin if since is None else since, now)], begin, now)
    return View(now, watermark, cell.watermark, begin, 0, spans, moment)
