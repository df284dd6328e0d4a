"""Bounded reads for comparisons: `kpi` records by time, and the facts that only the raw log has."""

from collections.abc import Iterator, Sequence

from schemas.codec import Codec
from schemas.records import Derived, Kpi, Lot, Order, Pilot, Production
from topology.classes import MessageClass
from topology.filters import REST, Filter
from topology.path import Level, Path
from uns.settings import Settings
from uns.subscribe import NothingMatches, Received, Subscription

LEAD_US = 7 * 86_400_000_000
"""A lot or an order that began so long before the first window is still known."""


def kpis(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[Kpi]:
    """Every `Kpi` that lies in [start, end), all revisions. Raises `NothingMatches` and `KafkaException`."""
    return [
        one.record
        for one in _read(settings, codec, [wanted], MessageClass.KPI, ["Kpi"], start)
        if isinstance(one.record, Kpi) and _within(one.record, start, end)
    ]


def productions(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[Production]:
    """Every `Production` that lies in [start, end), all revisions. Raises as `kpis` does."""
    return [
        one.record
        for one in _read(settings, codec, [wanted], MessageClass.PRODUCTION, ["Production"], start)
        if isinstance(one.record, Production) and _within(one.record, start, end)
    ]


def lots(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[tuple[str, Lot]]:
    """(path told at, lot) in log order, of the machines and of their lines. Raises as `kpis` does."""
    found = _read(settings, codec, _with_lines(wanted), MessageClass.RAW, ["Lot"], start - LEAD_US)
    return [(str(one.path), one.record) for one in found if isinstance(one.record, Lot) and one.record.started_at < end]


def orders(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[Order]:
    """Every `Order` in log order, of the machines and of their lines. Raises as `kpis` does."""
    found = _read(settings, codec, _with_lines(wanted), MessageClass.RAW, ["Order"], start - LEAD_US)
    return [one.record for one in found if isinstance(one.record, Order) and one.record.started_at < end]


def changeovers(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[Derived]:
    """Every record of the class changeover that lies in [start, end), all revisions; none where nobody writes any."""
    try:
        found = list(_read(settings, codec, [wanted], MessageClass.CHANGEOVER, [], start))
    except NothingMatches:
        return []
    return [one.record for one in found if isinstance(one.record, Derived) and _within(one.record, start, end)]


def pilots(settings: Settings, codec: Codec, place: Path, start: int) -> list[Pilot]:
    """Every `Pilot` of a place that was published from `start` on, all revisions; none where nothing was."""
    try:
        found = list(_read(settings, codec, [Filter.parse(str(place))], MessageClass.KPI, ["Pilot"], start))
    except NothingMatches:
        return []
    return [one.record for one in found if isinstance(one.record, Pilot)]


def _read(
    settings: Settings,
    codec: Codec,
    wanted: Sequence[Filter],
    message_class: MessageClass,
    names: list[str],
    start: int,
) -> Iterator[Received]:
    # Nothing is told before it happens; only under a plant clock of its own does that say nothing about Kafka's times.
    begin = "beginning" if settings.clock is not None else max(0, start // 1000)
    with Subscription(settings, codec, wanted, [message_class], begin, follow=False, records=names) as messages:
        yield from messages


def _within(record: Derived, start: int, end: int) -> bool:
    return start <= record.started_at < end and (record.ended_at is None or record.ended_at <= end)


def _with_lines(wanted: Filter) -> list[Filter]:
    """Also the lines of the machines that a filter names: what is told of a line holds for its machines."""
    levels = wanted.levels
    line = Filter.parse("/".join(levels[: Level.LINE])) if len(levels) > Level.LINE and levels[-1] != REST else None
    return [wanted, line] if line is not None else [wanted]
