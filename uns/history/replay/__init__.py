"""Recomputing history: the fold over the raw log again, its differences to what was published, and their correction."""
