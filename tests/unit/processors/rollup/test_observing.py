"""How much of a whole was observed, with the machines that have no record."""

from msgspec.structs import replace

from processors.rollup.observing import Observable
from processors.rollup.parts import Part
from processors.rollup.places import Key, zones
from processors.rollup.work_center import WorkCenter
from schemas.records import Kpi
from tests.harness.kpi_records import HOUR, LINE_1, MODEL, T0, kpi
from topology.kpi.values import Facts, Pieces
from topology.namespace.path import Level

ZONES = zones(MODEL)
CENTERS = {str(path): WorkCenter(path, MODEL) for path in ZONES if path.level is Level.LINE}
CELLS = CENTERS[LINE_1].cells
KEY = Key("hour", None, T0)


def seen(path: str, observed_us: int | None) -> Kpi:
    return replace(kpi(path), observed_us=observed_us, elapsed_us=None if observed_us is None else HOUR)


def test_a_machine_without_a_record_was_not_seen() -> None:
    observable = Observable(CENTERS, ZONES)
    parts = [Part.of(seen(CELLS[0], HOUR // 2))]
    assert observable.of(LINE_1, KEY, parts) == (HOUR // 2, len(CELLS) * HOUR)
    assert observable.of(LINE_1, Key("order", "o", 0), parts) == (HOUR // 2, HOUR)


def test_what_a_release_before_has_written_is_not_known() -> None:
    parts = [Part.of(seen(cell, HOUR if n else None)) for n, cell in enumerate(CELLS)]
    assert Observable(CENTERS, ZONES).of(LINE_1, KEY, parts) == (None, len(CELLS) * HOUR)


def test_a_machine_that_tells_no_state_has_pieces_in_the_line_and_no_time() -> None:
    """Its pieces stand against the time of the machine that paces; here all of it was seen."""
    center = WorkCenter(next(path for path in ZONES if str(path) == LINE_1), MODEL)
    center.stated = frozenset(CELLS[:1])
    blind = Facts({"not_observed": HOUR}, (Pieces(6_000_000, 9, unseen=True),), {}, 0)
    ruled = center.facts({CELLS[0]: Facts({"APT": HOUR}, (), {}, HOUR), **dict.fromkeys(CELLS[1:], blind)})
    assert (ruled.facts.element_us, ruled.facts.observed_us) == ({"APT": HOUR}, HOUR)
    assert [(made.good, made.unseen) for made in ruled.facts.pieces] == [(9, False)]
    assert center.observable == CELLS[:1]
