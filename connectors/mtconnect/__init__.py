"""MTConnect: agents' streams in the order of their sequence, holes filled from their buffers, or counted and said."""

from connectors.base import ConnectorSpec
from connectors.mtconnect.config import MtConnectConfig
from connectors.mtconnect.connector import MtConnectConnector

spec = ConnectorSpec(
    config=MtConnectConfig,
    build=MtConnectConnector,
    summary="MTConnect agents 1.0 to 2.x: streams by sequence, buffer overruns and restarts recovered and said",
    paths=MtConnectConfig.paths,
)
