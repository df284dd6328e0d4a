"""Which time zone the people of a place live in: that of their shift calendar. Pure."""

from collections import defaultdict

from topology.model.plant import Plant


def zones(plant: Plant | None) -> dict[str, str]:
    """Place → zone. A line has its calendar's; a place above lines has the one that all of its lines share, if they do."""
    if plant is None:
        return {}
    told: dict[str, set[str]] = defaultdict(set)
    for line, name in plant.calendars.items():
        segments = str(line).split("/")
        for depth in range(1, len(segments) + 1):
            told["/".join(segments[:depth])].add(plant.shifts[name].zone)
    return {place: next(iter(found)) for place, found in told.items() if len(found) == 1}
