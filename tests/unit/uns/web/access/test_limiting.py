"""Tries to sign in become rarer, nobody is locked out for ever, and what is remembered is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from uns.web.access import limiting
from uns.web.access.limiting import FREE, WAIT_MAX_S, Limiter

ANN, HERE = ("user", "ann"), ("address", "10.0.0.1")


def test_some_tries_are_free_and_then_each_doubles_the_wait() -> None:
    limiter = Limiter()
    for _ in range(FREE["user"] - 1):
        limiter.failed([ANN, HERE], 0.0)
    assert limiter.wait_s([ANN, HERE], 0.0) == 0
    waits = []
    for _ in range(12):
        limiter.failed([ANN, HERE], 0.0)
        waits.append(limiter.wait_s([ANN, HERE], 0.0))
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == WAIT_MAX_S
    assert limiter.wait_s([("user", "bob"), ("address", "10.0.0.2")], 0.0) == 0


def test_who_gets_in_is_forgiven_and_the_address_keeps_its_other_failures() -> None:
    limiter = Limiter()
    for name in range(FREE["address"] + 2):
        limiter.failed([("user", str(name)), HERE], 0.0)
    limiter.succeeded("1", HERE[1])
    assert limiter.wait_s([("user", "1")], 0.0) == 0
    assert limiter.wait_s([HERE], 0.0) > 0


@given(st.lists(st.tuples(st.floats(0, 100_000), st.booleans()), max_size=60).map(sorted))
def test_nobody_ever_waits_longer_than_the_longest_wait(tries: list[tuple[float, bool]]) -> None:
    limiter = Limiter()
    for at, good in tries:
        if good:
            limiter.succeeded("ann", HERE[1])
        else:
            limiter.failed([ANN, HERE], at)
        assert 0 <= limiter.wait_s([ANN, HERE], at) <= WAIT_MAX_S
    last = tries[-1][0] if tries else 0.0
    assert limiter.wait_s([ANN, HERE], last + WAIT_MAX_S) == 0


def test_what_is_remembered_is_bounded() -> None:
    limiter = Limiter()
    for n in range(limiting.ENTRIES_MAX + 50):
        limiter.failed([("address", str(n))], float(n))
    assert len(limiter) == limiting.ENTRIES_MAX
