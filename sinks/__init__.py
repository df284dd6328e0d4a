"""Sinks: one folder a kind of target, each writes derived records so that they take effect once."""
