"""The line fold offline over a file: what `uns fold` does. No Kafka, no network, no clock."""
