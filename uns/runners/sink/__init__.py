"""Runs sinks: from Kafka topics to targets, the same way for every kind."""
