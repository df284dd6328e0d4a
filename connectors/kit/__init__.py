"""What several protocols need, once: times, and what a payload says."""
