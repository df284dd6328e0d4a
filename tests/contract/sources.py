"""What the sources of the contract have in common."""

from typing import Any

from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
ALSO: tuple[tuple[str, Any], ...] = (("Speed", 1.5), ("Name", "ä"))
"""Further tags, each with a value."""
