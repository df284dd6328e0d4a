"""Somebody has seen an alert."""

from schemas.records import Acknowledge, Fact
from uns.web.deed import Deed, Refused


def acknowledge(deed: Deed) -> tuple[str, Fact]:
    """`alert` is its natural id, `path` the place that it is of."""
    alert, path = deed.said.get("alert"), deed.said.get("path")
    if not isinstance(alert, str) or not isinstance(path, str) or not alert.startswith(f"{path}#"):
        raise Refused("which alert was seen, and where?")
    return path, Acknowledge(alert=alert, at=deed.at, by=deed.by)
