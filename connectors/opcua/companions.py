"""What companion specifications say of a variable, by its browse name and what it stands in: what the folds would read of it.

Pure. Browse names of instances are those of their type, however far it was derived; so a name in the right namespace, below
another one where it needs that, is enough.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from asyncua import ua

PACKML = "http://opcfoundation.org/UA/PackML/"
MACHINERY = "http://opcfoundation.org/UA/Machinery/"
PLASTICS = "http://opcfoundation.org/UA/PlasticsRubber/GeneralTypes/"
EUROMAP = "http://www.euromap.org/euromap83/"
"""As `PLASTICS` was called before it moved to the OPC Foundation (Euromap 83, used by Euromap 77)."""


class _Known(NamedTuple):
    uri: str
    name: str
    below: str | None
    """Where the name alone is another one's: what its parent is called, in this namespace."""
    part: str
    """Of a structure or an array, the part that is meant."""
    role: Mapping[str, Any]


def _plastics(uri: str) -> tuple[_Known, ...]:
    statuses = {0: "unknown", 1: "stopped", 2: "starting", 3: "idle", 4: "execute", 5: "idle"}
    modes = {1: "production", 2: "production", 3: "manual", 4: "setup", 5: "sleep"}
    return (
        _Known(uri, "ProductionStatus", None, "", {"role": "state", "map": statuses}),
        _Known(uri, "MachineMode", None, "", {"role": "mode", "map": modes}),
        _Known(uri, "JobGoodPartsCounter", None, "", {"role": "good_count"}),
        _Known(uri, "JobBadPartsCounter", None, "", {"role": "scrap_count"}),
    )


_STATES = {"Executing": "execute", "NotExecuting": "idle", "OutOfService": "stopped", "NotAvailable": "unknown"}
_MODES = {"Processing": "production", "Setup": "setup", "Maintenance": "maintenance", "None": "none"}
_UNIT_MODES = {1: "production", 2: "maintenance", 3: "manual"}
_KNOWN = (
    _Known(PACKML, "CurrentState", "ExecuteState", "", {"role": "state", "map": "packml"}),
    _Known(PACKML, "UnitModeCurrent", None, "", {"role": "mode", "map": _UNIT_MODES}),
    _Known(PACKML, "ProdDefectiveCount", None, ".0.AccCount", {"role": "scrap_count"}),
    _Known(PACKML, "StopReason", None, ".ID", {"role": "reason"}),
    _Known(MACHINERY, "CurrentState", "MachineryItemState", "", {"role": "state", "map": _STATES}),
    _Known(MACHINERY, "CurrentState", "MachineryOperationMode", "", {"role": "mode", "map": _MODES}),
    *_plastics(PLASTICS),
    *_plastics(EUROMAP),
)


def roles_of(tag: str, names: Sequence[ua.QualifiedName], namespaces: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Tag → role. `names`: the browse names of the variable and of what is above it, the nearest first."""

    def said(place: int) -> tuple[str, str]:
        if place >= len(names):
            return "", ""
        index = names[place].NamespaceIndex
        return namespaces[index] if index < len(namespaces) else "", names[place].Name or ""

    own, parent = said(0), said(1)
    return {
        f"{tag}{known.part}": known.role
        for known in _KNOWN
        if (own == (known.uri, known.name) and known.below is None)
        or (known.below is not None and own[1] == known.name and parent == (known.uri, known.below))
    }
