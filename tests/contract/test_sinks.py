"""The contract of sinks over ours, and that every registered one is held to it."""

import pytest

from tests.contract.targets import away_historian, away_rest, historian, rest
from uns.model.components import SINKS, UnknownComponent, names, sink_spec
from uns.testing import SinkContract, sink_contract

TestHistorian = sink_contract(
    "historian",
    lambda request: historian(request.getfixturevalue("postgres"), request.getfixturevalue("enterprise")),
    away_historian,
)
TestRest = sink_contract("rest", lambda _request: rest(), away_rest)


def test_every_registered_sink_is_held_to_the_contract() -> None:
    held = {suite.kind for suite in globals().values() if isinstance(suite, type) and issubclass(suite, SinkContract) and suite is not SinkContract}  # fmt: skip
    assert held == set(names(SINKS)), "add a line for it, and its real target to tests/contract/targets.py"


def test_an_unknown_kind_is_told_the_nearest() -> None:
    with pytest.raises(UnknownComponent, match="did you mean 'historian'"):
        sink_spec("historain")
