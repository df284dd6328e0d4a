"""The state that each release has left behind: this one loads it and goes on, or its version says that it is rebuilt."""

from pathlib import Path

import pytest

from processors.line import LineFold
from schemas.records import Derived
from tests.harness.golden_state import read
from tests.harness.line_logs import Run

FOLDERS = sorted((Path(__file__).parents[2] / "cases" / "state").iterdir())
ALWAYS = -(1 << 62)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_state_of_a_release_is_loaded_or_rebuilt(folder: Path) -> None:
    golden = read(folder)
    assert str(golden.state_version) == folder.name
    uncut = Run().feed(golden.log[: golden.offset])
    published = {record.natural_id: record for record in uncut.records}
    if golden.state_version == LineFold.state_version:
        anew = Run()
        for key, value in golden.keys.items():
            anew.fold.restore(key, value)
        anew.offset = golden.offset
    else:  # the worker sees it by the fence, and does this
        anew = Run().feed(golden.log[: golden.offset])
        assert anew.fold.adopt(published.values(), ALWAYS, ()) == []
    said = [len(run.outputs) for run in (uncut, anew)]
    for run in (uncut, anew):
        run.feed(golden.log[golden.offset :])
    expected, ours = (run.outputs[n:] for run, n in zip((uncut, anew), said, strict=True))
    assert sum(isinstance(output, Derived) for output in expected) > 20
    assert ours == expected
    assert anew.fold.dropped == {}


def test_this_release_has_left_one_or_is_not_released() -> None:
    assert {folder.name for folder in FOLDERS} >= {"3"}
    assert max(int(folder.name) for folder in FOLDERS) <= LineFold.state_version
