"""What tests of several packages share: waiting with a deadline, topics of their own, reading topics to the end."""

from tests.harness.brokers import MqttBroker
from tests.harness.topics import consume_all, topic
from tests.harness.waiting import eventually

__all__ = ["MqttBroker", "consume_all", "eventually", "topic"]
