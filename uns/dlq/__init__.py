"""Quarantined records, of connectors, folds and sinks: what there is, what was decided, and giving them again."""
