"""A quiet month of the demo plant through the fold: what wears not is not said to wear, what is usual is not unusual."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.records import Condition
from tests.harness.demo_fold import fold, model, with_tags
from uns.demo.plant.events import MINUTE, Event, Said
from uns.demo.plant.packml import State
from uns.demo.plant.simulation import QUIET

READ = {"Vibration", "BearingTemperature", "Speed", "Temperature"}
"""What rules of condition and anomaly read, at the pace at which the machines say it."""
DAYS = 30
FALSE_MAX = 1
"""A machine and month."""


def while_running() -> Callable[[Event], bool]:
    """Whether an event is a sample of these tags that came while its machine ran. That the fold finds so itself has tests of
    its own; to derive a month of states, stops and KPIs beside it would take many times as long."""
    runs: dict[str, bool] = {}

    def wanted(event: Event) -> bool:
        if isinstance(event, Said) and event.tag == "State":
            runs[event.path] = event.value == State.EXECUTE
        return isinstance(event, Said) and event.tag in READ and runs.get(event.path, False)

    return wanted


@pytest.mark.long
@pytest.mark.timeout(900)  # a month of twelve machines takes minutes
def test_at_most_one_false_condition_or_anomaly_a_machine(tmp_path: Path) -> None:
    plant = with_tags(model(), lambda tags: {name: tag for name, tag in tags.items() if name in READ})
    quiet = fold(tmp_path, DAYS * 24, 1, QUIET, while_running(), 30 * MINUTE, plant, kept={"condition"})
    false = Counter(of.path for of in quiet.evidence.latest.values() if isinstance(of, Condition) and not of.withdrawn)
    assert not [path for path, number in false.items() if number > FALSE_MAX], false
    learnt = 0
    for run in quiet.runs.values():
        run.save()
        learnt += sum("|of|condition" in key and b"trained_to" in value for key, value in run.store.items())
    assert learnt == 12, "each machine has had a model that could have been wrong"
