"""What the frame's own list of places shows, and what its search finds: looked at as a screen is, under a name of its own."""

from uns.web.access.roles import holds
from uns.web.namespace import Namespace, snapshot_look
from uns.web.screen import View, Visit

PLACES = "_places"
"""No path segment and no entry point of ours begins with an underscore."""
PLACES_MAX = 2000
"""Places that are listed without a search."""


def view(namespace: Namespace, visit: Visit) -> View:
    """Option `find`: words that a place or a tag has; without it all places at and inside the visit's, each machine with its look."""
    if find := visit.options.get("find"):
        return {"found": [one for one in namespace.find(find) if holds(visit.place, one["path"])]}
    known = [path for path in namespace.places() if holds(visit.place, path)]
    return {
        "more": max(len(known) - PLACES_MAX, 0),
        "places": [
            {"path": path}
            if path not in namespace.snapshots
            else {"path": path, "look": snapshot_look(namespace.snapshots[path], namespace.now).key}
            for path in known[:PLACES_MAX]
        ],
    }
