"""The state of a line's bottlenecks: saved by name, and left where the flow or the definition is another."""

import msgspec

from processors.derive.bottleneck.bottleneck import BottleneckRecords
from processors.derive.derivation import load_sections, sections
from processors.inputs.schedule import Schedule
from processors.output.ledger import Ledger
from schemas.records import Bottleneck
from tests.harness.cells import hear, look, make_cell
from tests.harness.line_logs import CELL, EXECUTE, HELD, HOUR, LINE, MINUTE, OTHER, SUSPENDED, T0, TOPIC, plant
from topology.model.equipment import EquipmentType

TYPE = plant().types["filler"]
BOTH = {CELL: TYPE, OTHER: TYPE}
NOTHING = Schedule((), (), False, False)


def records(types: dict[str, EquipmentType]) -> BottleneckRecords:
    return BottleneckRecords(types, Ledger(LINE, "iso22400@1", TOPIC, 0))


def derived() -> tuple[BottleneckRecords, list[Bottleneck], dict[str, bytes]]:
    """An hour and a half: the filler runs all the time, the other waits for it in the first half hour."""
    filler, other = make_cell(), make_cell()
    for minute in range(90):
        hear(filler, T0 + minute * MINUTE, minute, State=EXECUTE)
        hear(other, T0 + minute * MINUTE, minute, State=SUSPENDED if minute < 30 else HELD)
    line = records(BOTH)
    out = line.derive({CELL: filler, OTHER: other}, NOTHING, look(filler, T0 + 90 * MINUTE).moment)
    saved = {key: data for key, data in sections([line]) if data is not None}
    return line, [record for record in out if isinstance(record, Bottleneck)], saved


def test_the_longest_active_holds_the_line_up_and_what_waits_is_blocked_or_starved() -> None:
    _, (hour, running), _ = derived()
    assert (hour.started_at, hour.ended_at, hour.bottleneck) == (T0, T0 + HOUR, CELL)
    first, second = hour.cells
    assert (first.active_us, first.sole_us + first.shifting_us) == (HOUR, HOUR)
    assert (second.active_us, second.starved_us, second.blocked_us) == (HOUR // 2, HOUR // 2, 0)
    assert (running.started_at, running.ended_at, running.status) == (T0 + HOUR, None, "provisional")


def test_a_line_of_one_has_no_bottleneck() -> None:
    cell = make_cell()
    hear(cell, T0, State=EXECUTE)
    assert records({CELL: TYPE}).derive({CELL: cell}, NOTHING, look(cell, T0 + HOUR).moment) == []


def test_its_state_is_by_name() -> None:
    _, _, saved = derived()
    line = msgspec.msgpack.decode(saved["of|bottleneck"])
    assert line["state"] == {"watermark": T0 + 90 * MINUTE, "flow": [CELL, OTHER]}
    again = records(BOTH)
    load_sections([again], saved, redefined=False)
    again.touch([(T0, T0 + 1), (T0 + 2 * HOUR, T0 + 3 * HOUR)])
    ((key, data),) = [pair for pair in sections([again]) if pair[0] == "of|bottleneck"]
    assert key
    assert data is not None
    assert msgspec.msgpack.decode(data)["state"] == line["state"] | {"touched": [[T0, T0 + 1]]}


def test_of_another_definition_nothing_is_taken_over() -> None:
    _, _, saved = derived()
    again = records(BOTH)
    load_sections([again], saved, redefined=True)
    again.touch([(T0, T0 + 1)])
    assert dict(sections([again])) == {}  # nothing was derived yet, so that nothing can be late
