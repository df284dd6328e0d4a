"""Paths: every valid one round-trips, every bad one is refused with a good spelling, nothing is rewritten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.places import paths, segments
from topology.namespace.classes import RESERVED
from topology.namespace.path import BadPath, Level, Path, suggestion


@given(paths())
def test_a_path_round_trips(path: Path) -> None:
    assert Path.parse(str(path)) == path


@given(st.text())
def test_any_text_is_the_path_it_says_or_refused(text: str) -> None:
    said = repr(text)
    try:
        assert str(Path.parse(text)) == text
    except BadPath as error:
        said = str(error)
    assert repr(text) in said


@given(st.text() | st.lists(st.text(alphabet="Aé_. -/raw\\0", max_size=40), max_size=7).map("/".join))
def test_what_is_offered_is_good(text: str) -> None:
    if (offer := suggestion(text)) is not None:
        assert str(Path.parse(offer)) == offer


@given(paths())
def test_a_good_path_is_its_own_nearest_spelling(path: Path) -> None:
    assert suggestion(str(path)) == str(path)


@pytest.mark.parametrize(
    ("text", "why", "offer"),
    [
        ("Acme/Dallas", "a-z, 0-9 and inner '-'", "acme/dallas"),
        ("acme/line_1", "a-z, 0-9 and inner '-'", "acme/line-1"),
        ("acme/line.1", "a-z, 0-9 and inner '-'", "acme/line-1"),
        ("acme/Köln", "a-z, 0-9 and inner '-'", "acme/koln"),
        ("acme/-x", "a-z, 0-9 and inner '-'", "acme/x"),
        ("acme/a--b/C", "a-z, 0-9 and inner '-'", "acme/a--b/c"),
        ("acme/a _- b", "a-z, 0-9 and inner '-'", "acme/a-b"),
        ("acme//x", "empty segment", "acme/x"),
        ("acme/raw", "is a message class", "acme/raw-1"),
        ("acme/" + "x" * 33, "33 characters", "acme/" + "x" * 32),
        ("a/b/c/d/e/f", "6 levels", "a/b/c/d/e"),
        ("acme/dallas\n", "a-z, 0-9 and inner '-'", "acme/dallas"),
        ("acme/١", "a-z, 0-9 and inner '-'", "acme"),
    ],
)
def test_a_bad_path_is_refused_with_the_reason_and_an_offer(text: str, why: str, offer: str) -> None:
    with pytest.raises(BadPath) as refused:
        Path.parse(text)
    assert why in str(refused.value)
    assert str(refused.value).endswith(f"did you mean {offer!r}?")


@pytest.mark.parametrize("text", ["", "/", "***"])
def test_where_no_spelling_is_near_none_is_offered(text: str) -> None:
    with pytest.raises(BadPath) as refused:
        Path.parse(text)
    assert "did you mean" not in str(refused.value)


@given(st.lists(segments(), max_size=4), st.sampled_from(sorted(RESERVED)))
def test_no_segment_is_a_message_class_of_today_or_of_later(before: list[str], word: str) -> None:
    with pytest.raises(BadPath, match="message class"):
        Path.parse("/".join([*before, word]))


@given(paths(), paths())
def test_a_place_contains_itself_and_what_is_below_it(one: Path, other: Path) -> None:
    assert one.contains(other) == (str(other) + "/").startswith(str(one) + "/")
    assert one.contains(one)
    if one.parent is not None:
        assert one.parent.contains(one)
        assert not one.contains(one.parent)


@given(paths())
def test_a_path_is_cut_at_its_own_level_or_above(path: Path) -> None:
    for level in Level:
        if level > path.level:
            with pytest.raises(ValueError, match=level.name.lower()):
                path.at(level)
        else:
            assert path.at(level).level is level
            assert path.at(level).contains(path)
