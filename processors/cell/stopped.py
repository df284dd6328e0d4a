"""What time in a stop is to be judged by: the reason and length of the published part that it lies in."""

from collections.abc import Iterator

from processors.output.ledger import Ledger
from processors.timeline.elements import PLAIN, Context, Elements
from schemas.records import Downtime
from topology.model.equipment import EquipmentType


def stopped_parts(
    ledger: Ledger, equipment: EquipmentType, elements: Elements, start: int, end: int
) -> Iterator[tuple[int, int, Context]]:
    """[start, end) of time in a stop by what its published parts say."""
    begun = ledger.start_before("downtime", start + 1)
    begins = [] if begun is None or begun == start else [begun]
    for started_at in [*begins, *ledger.starts("downtime", start, end)]:
        known = ledger.get("downtime", started_at)
        until = end if not isinstance(known, Downtime) or known.ended_at is None else min(known.ended_at, end)
        if isinstance(known, Downtime) and until > start:
            since = max(known.started_at, start)
            if since > start:
                yield start, since, PLAIN
            yield since, until, _context(equipment, elements, known)
            start = until
    if start < end:
        yield start, end, PLAIN


def _context(equipment: EquipmentType, elements: Elements, known: Downtime) -> Context:
    """What time in a part of a stop is to be judged by."""
    code = known.reason_code
    reason = equipment.reasons.get(code) if code is not None else None
    micro = known.kind == "micro_stop" and elements.micro(code is not None)
    return Context(reason.category if reason is not None else None, micro)
