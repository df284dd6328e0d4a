"""Runs connectors: packing, spool, ledger and the way to Kafka, the same for every protocol."""
