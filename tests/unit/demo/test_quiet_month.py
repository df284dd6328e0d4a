"""A quiet month of the demo plant through the fold: what wears not is not said to wear, what is usual is not unusual."""

from collections import Counter
from pathlib import Path

import pytest

from schemas.records import Condition
from tests.harness.demo_fold import fold
from uns.demo.plant.events import MINUTE, Event, Said
from uns.demo.plant.simulation import QUIET

READ = {"State", "Mode", "Vibration", "BearingTemperature", "Speed", "Temperature"}
"""What rules of condition and anomaly read, at the pace at which the machines say it, and whether they run."""
DAYS = 30
FALSE_MAX = 1
"""A machine and month."""


def read(event: Event) -> bool:
    return isinstance(event, Said) and event.tag in READ


@pytest.mark.long
@pytest.mark.parametrize("line", sorted(QUIET))
def test_at_most_one_false_condition_or_anomaly_a_machine(line: str, tmp_path: Path) -> None:
    lines = {line: QUIET[line]}
    quiet = fold(tmp_path, DAYS * 24, 1, lines, read, 30 * MINUTE, kept={"condition"})
    false = Counter(of.path for of in quiet.evidence.latest.values() if isinstance(of, Condition) and not of.withdrawn)
    assert not [path for path, number in false.items() if number > FALSE_MAX]
    run = quiet.runs[line]
    run.save()
    learnt = [key for key, value in run.store.items() if "|of|condition" in key and b"trained_to" in value]
    assert len(learnt) == 4, "each machine has had a model that could have been wrong"
