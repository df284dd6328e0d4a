"""A ledger that was computed anew goes on from what was published: what differs is corrected, nothing is said twice."""

from collections.abc import Collection, Mapping

from processors.output.columns import content_of
from processors.output.ledger import Ledger
from processors.output.segment import Key
from processors.output.withdrawal import emptied
from schemas.records import Derived


def adopt(
    ledger: Ledger, published: Mapping[Key, Derived], floor: int, since: int, trimmed: Collection[str]
) -> list[Derived]:
    """Takes what was published of a cell for the newest revisions; returns the differences, to be published.

    For a ledger of which nothing was published: its records go out where they differ from the published ones, as
    revisions after those, and what it does not say is withdrawn. What begins before `since` (µs) could not be computed
    again and stays as published. What ended by `floor` (µs) need not be in `published`, and nothing follows from it. Of the
    message classes in `trimmed` not all that was published is known: nothing follows from what is missing there.
    """
    computed = ledger.records()
    differences: list[Derived] = []
    for kind, started_at in sorted(computed.keys() | published.keys(), key=lambda key: (key[1], key[0])):
        own, known = computed.get((kind, started_at)), published.get((kind, started_at))
        if own == known:
            continue
        if own is None:
            assert known is not None
            if known.ended_at is not None and known.ended_at <= floor:
                continue
        elif known is None:
            if own.message_class in trimmed or (own.ended_at is not None and own.ended_at <= floor):
                continue
            ledger.drop(kind, started_at)
        if known is not None:
            ledger.adopt(kind, known)
        if started_at < since:
            continue
        if own is not None and not own.withdrawn:
            differences += _say(ledger, kind, own)
        elif known is not None:
            differences += ledger.withdraw(kind, started_at, **emptied(known))
    ledger.pack()
    return differences


def _say(ledger: Ledger, kind: str, record: Derived) -> list[Derived]:
    return ledger.put(
        type(record),
        kind,
        record.started_at,
        record.ended_at,
        record.status != "provisional",
        (record.inputs.first_offset, record.inputs.last_offset),
        **content_of(record),
    )
