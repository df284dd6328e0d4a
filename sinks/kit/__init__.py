"""What several sinks need, once: a record as an event of others' standards, and the like."""
