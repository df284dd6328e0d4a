"""Contract suites for connectors and sinks, ours and third parties': one line in a test module runs all of one.

    TestModbus = connector_contract("modbus", modbus_source, Codec(frames, decode))
    TestLake = sink_contract("lake", lake_target, away_lake)

Install `uns-backbone[testing]`. Only tests import this: it needs pytest and hypothesis.
"""

import pytest

pytest.register_assert_rewrite(
    "uns.testing.connectors", "uns.testing.resilience", "uns.testing.sinks", "uns.testing.text"
)

from uns.testing.connectors import Codec, ConnectorContract, connector_contract  # noqa: E402
from uns.testing.patience import patient, slowness  # noqa: E402
from uns.testing.sinks import SinkContract, Target, delivery, downtime, removal, sink_contract  # noqa: E402
from uns.testing.source import Source  # noqa: E402

__all__ = [
    "Codec",
    "ConnectorContract",
    "SinkContract",
    "Source",
    "Target",
    "connector_contract",
    "delivery",
    "downtime",
    "patient",
    "removal",
    "sink_contract",
    "slowness",
]
