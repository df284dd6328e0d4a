"""All that speaks Kafka outside the engine: clients, messages, headers, the log reader."""
