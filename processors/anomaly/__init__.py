"""Anomalies: what is unusual for a machine though no limit says so. Models are learnt in a stretch, named, and then stay."""
