"""One machine's state: its tags, its series, and how it is saved, packed and read back."""
