"""HTTP ingest: machines and scripts post JSON, JSON lines or InfluxDB lines, answered once Kafka has them."""

from connectors.base import ConnectorSpec
from connectors.http.config import HttpConfig
from connectors.http.connector import HttpConnector

spec = ConnectorSpec(
    config=HttpConfig,
    build=HttpConnector,
    summary="HTTP ingest: JSON, JSON lines, InfluxDB line protocol; answered 202 after Kafka",
    paths=HttpConfig.literal_paths,
)
