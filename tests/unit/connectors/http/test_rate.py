"""How often a token may post."""

import pytest

from connectors.http.rate import Rate


def test_as_many_at_once_as_in_a_second_and_then_as_time_passes() -> None:
    rate = Rate(2, 100.0)
    assert [rate.wait_s(100.0) for _ in range(3)] == [0, 0, pytest.approx(0.5)]
    assert rate.wait_s(100.5) == 0
    assert rate.wait_s(100.5) > 0
    assert [rate.wait_s(1000.0) for _ in range(3)] == [0, 0, pytest.approx(0.5)], "what is not used is not saved up"


def test_less_than_one_each_second() -> None:
    rate = Rate(0.1, 0.0)
    assert [rate.wait_s(at_s) for at_s in (0.0, 0.0, 10.0)] == [0, pytest.approx(10), 0]
