"""The namespace: paths, message classes, topics, keys and the plant model."""
