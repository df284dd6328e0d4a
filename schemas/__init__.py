"""The records of the namespace: their Avro schemas, their Python form and the bytes between."""
