"""A role reaches its place and what is inside it, and nothing that merely begins with the same letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uns.web.access.roles import ANYBODY, NOBODY, Role, Who, holds, role_at

SEGMENTS = st.lists(st.sampled_from(["acme", "dallas", "dallas2", "line-1", "line-10"]), max_size=4)


@given(SEGMENTS, SEGMENTS)
def test_a_grant_reaches_just_the_places_inside_it(prefix: list[str], place: list[str]) -> None:
    assert holds("/".join(prefix), "/".join(place)) == (place[: len(prefix)] == prefix)


@given(st.dictionaries(SEGMENTS.map("/".join), st.sampled_from(Role)), SEGMENTS.map("/".join))
def test_the_greatest_of_all_grants_that_reach_a_place_counts(grants: dict[str, Role], place: str) -> None:
    reaching = [role for prefix, role in grants.items() if holds(prefix, place)]
    assert role_at(grants, place) == (max(reaching) if reaching else None)
    who = Who("ann", grants)
    assert [role for role in Role if who.may(role, place)] == [
        role for role in Role if reaching and role <= max(reaching)
    ]


def test_dallas_is_not_dallas2() -> None:
    who = Who("ann", {"acme/dallas": Role.OPERATOR})
    assert who.may(Role.OPERATOR, "acme/dallas/packaging/line-1")
    assert not who.may(Role.VIEWER, "acme/dallas2/packaging/line-1")
    assert not who.may(Role.VIEWER, "acme")
    assert who.sees("acme")
    assert who.sees("acme/dallas/packaging")
    assert not who.sees("acme/dallas2")


def test_who_says_it_stands_in_the_fact_and_a_name_that_nobody_checked_is_marked() -> None:
    assert Who("ann", {}).by("bob") == "ann"
    assert ANYBODY.by("bob") == f"bob ({NOBODY})"
    assert ANYBODY.by("ann (not signed in)\n") != "ann"
    assert ANYBODY.by() == NOBODY


def test_a_word_that_is_no_role_is_answered_with_those_there_are() -> None:
    assert Role.of("Operator") is Role.OPERATOR
    with pytest.raises(ValueError, match="viewer, operator, supervisor, engineer, admin"):
        Role.of("boss")
