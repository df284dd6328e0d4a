"""What can be told of a place: its stop reasons, its characteristics, which pieces can be counted by hand. Pure."""

from typing import Any

from topology.model.plant import Plant
from topology.model.tags import CountTag
from topology.namespace.path import Level
from uns.web.act.production import COUNTED


def offer(plant: Plant, path: str) -> dict[str, Any] | None:
    """Of a machine, or of a line all its machines' reasons; None: the plant model has no such place."""
    types = {str(at): kind for at, kind in plant.cells().items() if path in (str(at), str(at.at(Level.LINE)))}
    if not types:
        return None
    reasons = {code: reason for kind in types.values() for code, reason in kind.reasons.items()}
    own = types.get(path)
    tags = {} if own is None else own.tags
    booked = {tag.role for tag in tags.values() if isinstance(tag, CountTag) and tag.counts == "increments"}
    return {
        "reasons": [
            {"code": code, "name": reason.name, "category": reason.category} for code, reason in sorted(reasons.items())
        ],
        "characteristics": [
            {"name": name, "unit": tag.unit, "lsl": tag.lsl, "usl": tag.usl}
            for name, tag in tags.items()
            if tag.role == "characteristic"
        ],
        "counts": [what for what, role in COUNTED.items() if role in booked],
    }
