"""What is wrong with what a source says is told before anything is published, in the words of the folds."""

from typing import Any

from connectors.base import FactReading, Malformed, Reading
from schemas.records import Reason, Sample
from tests.harness.line_logs import CELL, HOUR, T0, S, plant
from topology.namespace.path import Path
from uns.runners.connector.remarks import SHOWN_MAX, remarks

FILLER = Path.parse(CELL)


def of(*said: Any) -> list[str]:
    return remarks(said, plant(), T0)


def reading(tag: str, value: Any, at: int = T0 - S, path: str = CELL) -> Reading:
    return Reading(Path.parse(path), Sample(tag, at, value))


def test_nothing_is_said_of_what_is_right() -> None:
    assert of(reading("State", 6), reading("Good", 5), reading("Temperature", 21.5)) == []


def test_each_thing_that_is_wrong_is_said_once_with_what_to_do() -> None:
    found = of(
        reading("State", 99),
        reading("State", 99, T0 - 2 * S),
        reading("Good", "many"),
        reading("Good", 7, T0 + 10 * HOUR),
        reading("good", 7),
        reading("State", 6, path="acme/dallas/packaging/line-1/filer"),
        reading("State", 6, path="acme/austin/packaging/line-1/filler"),
        reading("Note", "x" * 5_000),
        Malformed("plc/1", b"?", "bad_json", "no JSON"),
        FactReading(FILLER, Reason(id="r", code=7777, started_at=T0, by="ann")),
    )
    for begin in (
        f"{CELL}: unmapped_state: ",
        f"{CELL}: wrong_type: ",
        f"{CELL}: future: ",
        f"{CELL}: tag 'good' means nothing to its type; did you mean 'Good'?",
        "acme/dallas/packaging/line-1/filer is no machine of the plant model; did you mean",
        "acme/austin/packaging/line-1/filler is no machine",
        f"{CELL}: tag 'Note': a text of 5000 characters",
        "plc/1: bad_json: no JSON",
        f"{CELL}: unknown_code: ",
    ):
        assert sum(sentence.startswith(begin) for sentence in found) == 1, (begin, found)
    assert len(found) == 9


def test_a_flood_of_faults_is_cut() -> None:
    found = of(*(reading("State", 100 + n) for n in range(SHOWN_MAX + 5)))
    assert len(found) == SHOWN_MAX + 1
    assert found[-1] == "5 more"
