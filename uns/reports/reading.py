"""Bounded reads for comparisons: newest revisions of derived records by time, and the facts that only the raw log has."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from processors.analysis.selection import newest
from processors.output.identity import parse
from schemas.codec import Codec, Undecodable
from schemas.records import FACT_TYPES, Derived, Fact, Kpi, Lot, Order, Pilot, Production
from topology.namespace.classes import MessageClass
from topology.namespace.filters import REST, Filter
from topology.namespace.path import Level, Path
from uns.client.subscribe import Begin, NothingMatches, Received, Subscription
from uns.runtime.settings import Settings

LEAD_US = 7 * 86_400_000_000
"""A lot or an order that began so long before the first window is still known."""
DerivedT = TypeVar("DerivedT", bound=Derived)


def kpis(settings: Settings, codec: Codec, wanted: Filter, windows: Collection[str], start: int, end: int) -> list[Kpi]:
    """Every `Kpi` of these kinds of window that lies in [start, end). Raises `NothingMatches` and `KafkaException`."""

    def near(id_: str) -> bool:
        kind, started_at = parse(id_)
        return start <= started_at < end and kind.removeprefix("kpi.").partition(".")[0] in windows

    records = _newest(settings, codec, wanted, MessageClass.KPI, Kpi, start, near)
    return [record for record in records if record.window in windows and _within(record, start, end)]


def productions(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[Production]:
    """Every `Production` that lies in [start, end). Raises as `kpis` does."""
    records = _newest(settings, codec, wanted, MessageClass.PRODUCTION, Production, start)
    return [record for record in records if _within(record, start, end)]


def changeovers(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[Derived]:
    """Every record of the class changeover that lies in [start, end); none where nobody writes any."""
    try:
        records = _newest(settings, codec, wanted, MessageClass.CHANGEOVER, Derived, start)
    except NothingMatches:
        return []
    return [record for record in records if _within(record, start, end)]


def pilots(settings: Settings, codec: Codec, place: Path, start: int) -> list[Pilot]:
    """Every `Pilot` of a place that was published from `start` on; none where nothing was."""
    try:
        return _newest(settings, codec, Filter.parse(str(place)), MessageClass.PILOT, Pilot, start)
    except NothingMatches:
        return []


def lots(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[tuple[str, Lot]]:
    """(path told at, lot) in log order, of the machines and of their lines. Raises as `kpis` does."""
    messages = _facts(settings, codec, wanted, "Lot", start)
    return [
        (str(message.path), message.record)
        for message in messages
        if isinstance(message.record, Lot) and message.record.started_at < end
    ]


def orders(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[Order]:
    """Every `Order` in log order, of the machines and of their lines. Raises as `kpis` does."""
    messages = _facts(settings, codec, wanted, "Order", start)
    return [
        message.record for message in messages if isinstance(message.record, Order) and message.record.started_at < end
    ]


def within(
    settings: Settings,
    codec: Codec,
    wanted: Filter,
    message_class: MessageClass,
    kind: type[DerivedT],
    start: int,
    end: int,
) -> list[DerivedT]:
    """The newest revision of each record of a class that lies in [start, end), points too; none where nobody writes any."""
    try:
        records = _newest(settings, codec, wanted, message_class, kind, start)
    except NothingMatches:
        return []
    return [record for record in records if _within(record, start, end)]


def told(
    settings: Settings, codec: Codec, wanted: Filter, names: Collection[str], start: int, end: int
) -> list[tuple[str, Fact]]:
    """(path told at, fact) in log order, of the machines and of their lines. Raises as `kpis` does."""
    return [
        (str(message.path), message.record)
        for name in names
        for message in _facts(settings, codec, wanted, name, start)
        if isinstance(message.record, FACT_TYPES) and getattr(message.record, "started_at", 0) < end
    ]


def _newest(
    settings: Settings,
    codec: Codec,
    wanted: Filter,
    message_class: MessageClass,
    kind: type[DerivedT],
    start: int,
    near: Callable[[str], bool] = lambda _: True,
) -> list[DerivedT]:
    """The newest revision of each record, the only one that is kept and decoded: an open window is told every few minutes."""
    kept: dict[str, tuple[int, bytes]] = {}
    loose: list[DerivedT] = []
    with _subscription(settings, codec, [wanted], message_class, _names(kind), start, decode=False) as messages:
        for message in messages:
            natural, _, revision = (message.id or "").rpartition(":")
            if message.value is None:
                continue
            try:
                if near(natural) and int(revision) >= kept.get(natural, (-1, b""))[0]:
                    kept[natural] = int(revision), message.value
            except ValueError:  # somebody else's header: the record itself says who it is
                loose += _decoded(codec, kind, [message.value])
    found = [*_decoded(codec, kind, (value for _, value in kept.values())), *loose]
    return newest(found)


def _decoded(codec: Codec, kind: type[DerivedT], values: Iterable[bytes]) -> Iterator[DerivedT]:
    for value in values:
        try:
            record = codec.decode(value)
        except Undecodable:
            continue
        if isinstance(record, kind):
            yield record


def _facts(settings: Settings, codec: Codec, wanted: Filter, name: str, start: int) -> Iterator[Received]:
    with _subscription(settings, codec, _with_lines(wanted), MessageClass.RAW, [name], start - LEAD_US) as messages:
        yield from messages


def _subscription(
    settings: Settings,
    codec: Codec,
    wanted: Sequence[Filter],
    message_class: MessageClass,
    names: Sequence[str],
    start: int,
    decode: bool = True,
) -> Subscription:
    # Nothing is told before it happens; only under a plant clock of its own does that say nothing about Kafka's times.
    begin: Begin = "beginning" if settings.clock is not None else max(0, start // 1000)
    return Subscription(settings, codec, wanted, [message_class], begin, follow=False, records=names, decode=decode)


def _names(kind: type[Derived]) -> list[str]:
    return [] if kind is Derived else [kind.__name__]


def _within(record: Derived, start: int, end: int) -> bool:
    return start <= record.started_at < end and (record.ended_at is None or record.ended_at <= end)


def _with_lines(wanted: Filter) -> list[Filter]:
    """Also the lines of the machines that a filter names: what is told of a line holds for its machines."""
    levels = wanted.levels
    line = Filter.parse("/".join(levels[: Level.LINE])) if len(levels) > Level.LINE and levels[-1] != REST else None
    return [wanted, line] if line is not None else [wanted]
