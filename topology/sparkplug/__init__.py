"""Sparkplug B as both of its sides know it: the payload, the topics, the names of what controls. Connectors (a host) and sinks (an
edge node) never meet, so it stands below both."""
