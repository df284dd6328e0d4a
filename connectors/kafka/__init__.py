"""Kafka in: topics of another system, or of another team, mapped into the namespace."""

from connectors.base import ConnectorSpec
from connectors.kafka.config import KafkaConfig
from connectors.kafka.connector import KafkaConnector

spec = ConnectorSpec(
    config=KafkaConfig,
    build=KafkaConnector,
    summary="existing topics, JSON or Avro, the path from the topic's name or the key; each record once",
    paths=KafkaConfig.literal_paths,
)
