"""What people and business systems say about a line or a cell: orders, shifts, lots, reasons, and when nobody listened.

A later fact with the same id replaces the earlier one (later in the log). Facts live as long as they can matter to a
window inside the correction horizon.
"""

from typing import NamedTuple, TypeVar

from processors.base import Rejection
from processors.output.identity import of_natural, parse
from processors.units import INF
from schemas.records import (
    Acknowledge,
    Gap,
    Inspection,
    Limits,
    Lot,
    Order,
    OutOfService,
    Reason,
    Shelve,
    Shift,
    WorkOrder,
)

Fact = Order | Shift | Lot | Reason | Gap | Shelve | OutOfService

OwnFact = Inspection | Acknowledge | WorkOrder | Limits
"""What is told of one machine, and derivations read that name it. A work order that is about no condition decides nothing."""

EARLIEST, LATEST = 946_684_800_000_000, 4_102_444_800_000_000
"""2000-01-01 and 2100-01-01: a time outside is a fault, whatever the clock says."""

NO_REASON = 0
"""The code that takes a reason away."""
IDEAL_CYCLE_MAX_S = 31 * 86_400
LABOUR_MAX_S = 366 * 86_400
SHELVE_MAX_S = 7 * 86_400
"""A shelf lasts no longer: what is to be quiet for longer is out of service, and somebody's to look after."""


class Told(NamedTuple):
    """A fact and the raw offset it came from."""

    fact: Fact
    offset: int


KINDS: dict[str, type[Fact]] = {kind.__name__: kind for kind in (Order, Shift, Lot, Reason, Gap, Shelve, OutOfService)}
KindT = TypeVar("KindT", Order, Shift, Lot, Reason, Gap, Shelve, OutOfService)


def span(fact: Fact | WorkOrder) -> tuple[int, int]:
    """The event time a fact speaks of, [start, end); INF while it has no end."""
    match fact:
        case Reason():
            return fact.started_at, fact.started_at + 1 if fact.ended_at is None else fact.ended_at
        case _:
            return fact.started_at, INF if fact.ended_at is None else fact.ended_at


def fault(path: str, fact: Fact | WorkOrder, oldest: int) -> Rejection | None:
    """What is wrong with a fact in itself; `oldest` is where the correction horizon begins."""
    times = [fact.started_at, fact.started_at if fact.ended_at is None else fact.ended_at]
    if isinstance(fact, Shift):
        times += [at for pause in fact.breaks for at in (pause.started_at, pause.ended_at)]
    if not all(EARLIEST <= at <= LATEST for at in times):
        return Rejection("out_of_range", f"{path}: {type(fact).__name__} {fact.id} has a time outside 2000 to 2100")
    if fact.ended_at is not None and fact.ended_at < fact.started_at:
        return Rejection("bad_interval", f"{path}: {type(fact).__name__} {fact.id} ends before it begins")
    if isinstance(fact, Shift) and any(pause.ended_at < pause.started_at for pause in fact.breaks):
        return Rejection("bad_interval", f"{path}: a break of Shift {fact.id} ends before it begins")
    if span(fact)[1] <= oldest:
        return Rejection("late", f"{path}: {type(fact).__name__} {fact.id} is older than the correction horizon")
    if isinstance(fact, Shelve) and fact.ended_at - fact.started_at > SHELVE_MAX_S * 1_000_000:
        words = f"shelves {fact.alarm} for more than {SHELVE_MAX_S // 86_400} days; take it out of service instead"
        return Rejection("out_of_range", f"{path}: Shelve {fact.id} {words}")
    if isinstance(fact, WorkOrder) and fact.labour_s is not None and not 0 <= fact.labour_s <= LABOUR_MAX_S:
        return Rejection("out_of_range", f"{path}: WorkOrder {fact.id} has labour_s {fact.labour_s}")
    if isinstance(fact, Order) and fact.ideal_cycle_s is not None and not 0 < fact.ideal_cycle_s <= IDEAL_CYCLE_MAX_S:
        return Rejection("out_of_range", f"{path}: Order {fact.id} has ideal_cycle_s {fact.ideal_cycle_s}")
    if isinstance(fact, Order) and (fact.planned_quantity or 0) < 0:
        return Rejection("out_of_range", f"{path}: Order {fact.id} has planned_quantity {fact.planned_quantity}")
    return None


CONDITION = "#condition."
"""In the id of a condition."""


def addressed(path: str, fact: OwnFact) -> str | Rejection:
    """The path of the cell that a fact is for: its key's, but for an acknowledgement that of the alert, and for a work order
    that of the condition that it is about; "" for one that is about none."""
    if isinstance(fact, Inspection | Limits):
        return path
    if isinstance(fact, WorkOrder):
        return of_natural(fact.about) if fact.about is not None and CONDITION in fact.about else ""
    try:
        parse(fact.alert)
    except ValueError:
        return Rejection("unknown_alert", f"{fact.alert!r} is no id of an alert (without its revision)")
    return of_natural(fact.alert)


def unknown_alert(fact: Acknowledge) -> Rejection:
    """The answer to an acknowledgement of what is no alert of ours, or an old one."""
    return Rejection("unknown_alert", f"alert {fact.alert!r} is not known here, or older than the horizon")


class ToldFacts:
    """The facts told at one path."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Told] = {}

    def __len__(self) -> int:
        return len(self._told)

    def put(self, fact: Fact, offset: int) -> Told | None:
        """Returns what it replaces. A fact told again unchanged keeps its first offset."""
        key = (type(fact).__name__, fact.id)
        before = self._told.get(key)
        if before is None or before.fact != fact:
            self._told[key] = Told(fact, offset)
        return before

    def of(self, kind: type[KindT]) -> list[tuple[KindT, int]]:
        """All of a kind with their offsets, in order of begin and name."""
        of_kind = [(told.fact, told.offset) for told in self._told.values() if isinstance(told.fact, kind)]
        return sorted(of_kind, key=lambda pair: (span(pair[0])[0], pair[0].id))

    def expire(self, kind: str, fact_name: str) -> None:
        self._told.pop((kind, fact_name), None)

    def names(self) -> list[tuple[str, str]]:
        """(kind, name) of every fact."""
        return list(self._told)

    def get(self, kind: str, fact_name: str) -> Told | None:
        return self._told.get((kind, fact_name))
