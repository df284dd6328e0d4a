"""Kafka Connect's REST contract over our connectors and sinks: how they are, pause, resume, restart. For Kafka consoles."""
