"""Which element of the ISO 22400 time model an instant counts as: by plan first, then by machine and order.

Outside every shift: unplanned. In a break: PDOT. Else by the definition's rules on (state, mode, order on the machine).
"""

from processors.plan import BREAK, BUSY, UNPLANNED
from topology.kpi import Definition

ELEMENTS = ("PDOT", "APT", "AUST", "ADET", "ADOT", "unplanned", "unknown")
UNKNOWN = ELEMENTS.index("unknown")
BREAKDOWN_STATES = frozenset({"aborting", "aborted", "clearing"})


class Elements:
    """The rules of one KPI definition, with their answers remembered."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._names: dict[tuple[str, str, bool], str] = {}
        self._indices: dict[tuple[str, str, bool, str], int] = {}

    def name(self, state: str, mode: str, order: bool) -> str:
        """The element of planned busy time."""
        key = (state, mode, order)
        found = self._names.get(key)
        if found is None:
            found = self._names[key] = self._definition.element(state, mode, order)
        return found

    def index(self, state: str, mode: str, order: bool, status: str) -> int:
        """Index into ELEMENTS; `status` as in processors.plan."""
        key = (state, mode, order, status)
        found = self._indices.get(key)
        if found is None:
            element = {UNPLANNED: "unplanned", BREAK: "PDOT"}.get(status) or self.name(state, mode, order)
            found = self._indices[key] = ELEMENTS.index(element)
        return found

    def stops(self, state: str, mode: str, order: bool, status: str) -> bool:
        """Whether this is part of a stop: delay of an order, or a breakdown, in planned busy time."""
        if status != BUSY:
            return False
        element = self.name(state, mode, order)
        return element == "ADET" or (element == "ADOT" and state in BREAKDOWN_STATES)
