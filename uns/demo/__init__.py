"""The demo: a plant that knows nothing of us, and the closing comparison with its truth."""
