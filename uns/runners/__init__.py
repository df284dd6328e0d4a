"""The shells around components: one for connectors, one for sinks, one for roll-ups."""
