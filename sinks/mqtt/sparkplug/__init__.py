"""The mirror as an edge node of Sparkplug B."""
