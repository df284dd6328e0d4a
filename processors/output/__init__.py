"""What was said: ids, revisions, and the ledger that turns a change into a correction."""
