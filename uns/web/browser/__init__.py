"""The topic browser: every tag of the plant found in a moment, with where it comes from and who reads it."""
