"""What differs between what a target should hold and what it holds: the same as two dicts would say."""

import json
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sinks.base import Found, Wanted
from sinks.kit.digest import digest, numbers_as_one
from uns.runners.sink import comparison
from uns.runners.sink.comparison import Comparison

KEYS = st.sampled_from(["a", "ä b", "c'\"", "d\n", "e"])
WANTED = st.builds(Wanted, KEYS, st.just(0), st.integers(0, 2), st.integers(0, 2), st.booleans())
FOUND = st.builds(Found, KEYS, st.integers(0, 2), unsure=st.booleans())


@given(st.lists(st.tuples(WANTED, st.booleans())), st.lists(FOUND), st.integers(1, 3))
def test_it_says_what_two_dicts_say(wanted: list[tuple[Wanted, bool]], found: list[Found], at_once: int) -> None:
    newest: dict[str, tuple[Wanted, bool]] = {}
    for each, unsure in wanted:
        if each.key not in newest or each.revision >= newest[each.key][0].revision:
            newest[each.key] = each, unsure or each.optional
    asked = {key: each.digest for key, (each, unsure) in newest.items() if not unsure}
    doubtful = {each.key for each in found if each.unsure}
    sure = {key: value for key, value in asked.items() if key not in doubtful}
    known = [each for each in found if not each.unsure]
    times, digests = Counter(each.key for each in known), {each.key: each.digest for each in reversed(known)}
    expected = {
        *(("missing", key) for key in sure if key not in times),
        *(("twice", key) for key in newest if times[key] > 1),
        *(("different", key) for key in sure if times[key] == 1 and digests[key] != sure[key]),
    }
    before, comparison.AT_ONCE = comparison.AT_ONCE, at_once
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = Comparison(Path(folder))
            for each, unsure in wanted:
                made.want(each, unsure)
            assert {each.key: each.digest for each in made.wanted()} == asked
            for one in found:
                made.find(one)
            assert {(each.kind, each.key) for each in made.differences(100)} == expected
            assert made.counts() == {kind: sum(k == kind for k, _ in expected) for kind in comparison.KINDS}
            assert (made.count(), made.held()) == (len(sure), len(known))
            assert made.beyond() == len(times.keys() - newest.keys())
            made.close()
            assert list(Path(folder).iterdir()) == []
    finally:
        comparison.AT_ONCE = before


def test_a_digest_is_of_values_and_their_kinds() -> None:
    values = [None, True, 1, 1.0, "1", [1], {"a": 1, "b": 2}, 2**63 - 1, -(2**63), float("nan"), float("inf")]
    assert len({digest(value) for value in values}) == len(values)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert all(-(2**63) <= digest(value) < 2**63 for value in values)
    one = numbers_as_one({"a": [1.0, 1.5, True, (2.0,), None]})
    assert repr(one) == "{'a': [1, 1.5, True, [2], None]}"


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1)))
def test_a_number_is_the_same_after_json_in_a_database_which_keeps_it_in_decimal(number: float) -> None:
    decimal = Decimal(json.dumps(number))
    kept = json.loads(f"{decimal:f}")
    assert digest(numbers_as_one(kept)) == digest(numbers_as_one(number))
