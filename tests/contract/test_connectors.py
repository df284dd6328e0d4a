"""The contract of connectors over ours: each that is registered is held to it, with the source and the fuzzer that stand in
`tests/contract/source_PROTOCOL.py` as `CONTRACT`.
"""

from importlib import import_module
from importlib.util import find_spec

import pytest

from uns.model.components import CONNECTORS, UnknownComponent, connector_spec, names
from uns.testing import ConnectorContract


def _module(protocol: str) -> str:
    return f"tests.contract.source_{protocol}"


SUITES: dict[str, type[ConnectorContract]] = {
    protocol: import_module(_module(protocol)).CONTRACT
    for protocol in names(CONNECTORS)
    if find_spec(_module(protocol)) is not None
}
globals().update({suite.__name__: suite for suite in SUITES.values()})


@pytest.mark.parametrize("protocol", names(CONNECTORS))
def test_every_registered_connector_is_held_to_the_contract(protocol: str) -> None:
    assert protocol in SUITES, f"write {_module(protocol).replace('.', '/')}.py, with its real source"
    assert SUITES[protocol].protocol == protocol


def test_an_unknown_protocol_is_told_the_nearest() -> None:
    with pytest.raises(UnknownComponent, match="did you mean 'opcua'"):
        connector_spec("opcau")
