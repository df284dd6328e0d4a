"""Real services from pip alone: Kafka, PostgreSQL, an MQTT broker and the registry, on loopback and free ports."""
