"""The contract of sinks over ours: each that is registered is held to it, with the target that stands in
`tests/contract/sink_KIND.py` as `CONTRACT`.
"""

from importlib import import_module
from importlib.util import find_spec

import pytest

from uns.model.components import SINKS, UnknownComponent, names, sink_spec
from uns.testing import SinkContract


def _module(kind: str) -> str:
    return f"tests.contract.sink_{kind}"


SUITES: dict[str, type[SinkContract]] = {
    kind: import_module(_module(kind)).CONTRACT for kind in names(SINKS) if find_spec(_module(kind)) is not None
}
globals().update({suite.__name__: suite for suite in SUITES.values()})


@pytest.mark.parametrize("kind", names(SINKS))
def test_every_registered_sink_is_held_to_the_contract(kind: str) -> None:
    assert kind in SUITES, f"write {_module(kind).replace('.', '/')}.py, with its real target"
    assert SUITES[kind].kind == kind


def test_an_unknown_kind_is_told_the_nearest() -> None:
    with pytest.raises(UnknownComponent, match="did you mean 'historian'"):
        sink_spec("historain")
