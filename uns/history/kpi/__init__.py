"""The same history under two definitions: what differs, and the stops that explain it."""
