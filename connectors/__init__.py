"""Protocol connectors: one folder a protocol, each turns what a source says into batches of readings."""
