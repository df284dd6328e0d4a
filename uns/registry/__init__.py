"""A small schema registry with Confluent's REST contract over Kafka's `_schemas` topic, and the client every part uses."""
