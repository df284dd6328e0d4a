"""What a target cannot be asked, or only in part, is said; and what is unsure is no difference."""

from pathlib import Path

import pytest

from sinks.base import Found, Wanted
from uns.model.components import SINKS, names, sink_spec
from uns.runners.sink.comparison import Comparison


def test_what_the_target_cannot_say_is_neither_missing_nor_different(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    for key in ("a", "b", "c"):
        comparison.want(Wanted(key, 0, 0, 1), False)
    comparison.find(Found("a", 0, unsure=True))
    comparison.find(Found("b", 2))
    assert comparison.counts() == {"missing": 1, "twice": 0, "different": 1}
    assert comparison.count() == 2
    comparison.close()


@pytest.mark.parametrize("kind", names(SINKS))
def test_each_kind_can_be_read_back_or_says_why_not(kind: str) -> None:
    spec = sink_spec(kind)
    assert (spec.verification is None) == bool(spec.unreadable)
