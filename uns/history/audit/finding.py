"""Finding a record's revisions in its topic, by id or by path, class and time; and saying why there is none."""

from collections.abc import Iterator

from processors.output.identity import instant, parse
from schemas.codec import Codec, Undecodable
from schemas.records import Derived
from schemas.text import iso
from topology.namespace.path import Path
from topology.namespace.topics import partition, topic
from topology.nearest import hint
from uns.history.audit.subject import Subject, audited, is_of, subject
from uns.history.evidence import FOREVER, PublishedRecord
from uns.history.logs import Logs
from uns.history.segments import span
from uns.kafka.log import LogRecord
from uns.kafka.message import CAUSE

AHEAD_MS = 3_600_000
"""A record may be published so long before the event time that it begins with, where clocks differ."""
DAY_MS = 86_400_000
LISTED = 5


class NotFound(LookupError):
    """There is no such record; the message says whether retention may have removed it, and what is near."""


def where(logs: Logs, path: Path, kind: str) -> tuple[str, int]:
    """Topic and partition of a kind of a path. Raises `NotFound`."""
    name = topic(path, audited(kind))
    count = logs.partitions(name)
    if not count:
        raise NotFound(
            f"there is no topic {name}; {hint(name, sorted(t for t in logs.topics if t.startswith('uns.')))}"
        )
    return name, partition(path, count)


def published(codec: Codec, source: LogRecord) -> PublishedRecord | None:
    """A derived record as it lies there; None for anything else."""
    try:
        record = codec.decode(source.value)
    except Undecodable:
        return None
    if not isinstance(record, Derived):
        return None
    told = next((value for name, value in source.headers if name == CAUSE), None)
    cause = int(told) if told is not None and told.isdigit() else None
    return PublishedRecord(
        record, source.topic, source.partition, source.offset, source.timestamp, cause, source.value or b""
    )


def revisions_of(logs: Logs, codec: Codec, wanted: Subject) -> list[PublishedRecord]:
    """Every revision published, in log order. Raises `NotFound`."""
    name, number = where(logs, wanted.path, wanted.kind)
    low, _ = logs.bounds(name, number)
    begin = logs.offset_at(name, number, wanted.started_at // 1000 - AHEAD_MS)
    records = list(_of(logs, codec, name, number, wanted, begin, None))
    if begin > low and not any(revision.record.revision == 0 for revision in records):
        records = [*_of(logs, codec, name, number, wanted, low, begin), *records]  # Kafka's clock is not the plant's
    if not records:
        raise NotFound(_why(logs, name, number, wanted))
    there = sorted({revision.record.revision for revision in records})
    if wanted.revision is not None and wanted.revision not in there:
        gone = _retention(logs, name, number) if there[0] > 0 and low > 0 else ""
        raise NotFound(
            f"{wanted.natural} has no revision {wanted.revision}; there are {', '.join(map(str, there))}{gone}"
        )
    return records


def _of(
    logs: Logs, codec: Codec, name: str, number: int, wanted: Subject, start: int, end: int | None
) -> Iterator[PublishedRecord]:
    marks = f"{wanted.natural}:".encode()  # in the bytes as it is: most records need not be decoded
    for source in logs.read(name, number, start, end):
        if source.value is not None and marks in source.value:
            revision = published(codec, source)
            if revision is not None and revision.record.natural_id == wanted.natural:
                yield revision


def _why(logs: Logs, name: str, number: int, wanted: Subject) -> str:
    """Why nothing was found, in words; looks through the whole partition for what is near."""
    path, keys = str(wanted.path), set()
    near: dict[str, int] = {}
    for source in logs.read(name, number):
        key = (source.key or b"").decode(errors="replace")
        keys.add(key)
        if key != path:
            continue
        try:
            natural = next(value.decode() for header, value in source.headers if header == "ce_id").rpartition(":")[0]
            near[natural] = parse(natural)[1]
        except (StopIteration, ValueError):
            continue
    words = f"{wanted.natural} was never published to {name}[{number}], as far as it is kept"
    words += _retention(logs, name, number)
    if path not in keys:
        return f"{words}; nothing of {path} is there: {hint(path, sorted(keys))}"
    same = [natural for natural in near if parse(natural)[0] == wanted.kind] or list(near)
    closest = sorted(same, key=lambda natural: (abs(near[natural] - wanted.started_at), natural))[:LISTED]
    return f"{words}; nearest: {', '.join(closest)}" if closest else words


def _retention(logs: Logs, name: str, number: int) -> str:
    low, _ = logs.bounds(name, number)
    since = logs.kept_since_ms(name, number)
    if low == 0:
        return ""
    kept = "nothing is kept now" if since is None else f"kept is what came from {iso(since * 1000)} on"
    return f" (retention has removed the first {low} offsets of it; {kept})"


def at(logs: Logs, codec: Codec, path: Path, kind: str, moment: int) -> Subject:
    """The one record of a path and kind (or class) that holds a moment. Raises `NotFound`, also where there are several."""
    name, number = where(logs, path, kind)
    low, _ = logs.bounds(name, number)
    begin = logs.offset_at(name, number, moment // 1000 - 2 * DAY_MS)
    holding = _holding(logs, codec, name, number, path, kind, moment, begin, None)
    if not holding and begin > low:
        holding = _holding(logs, codec, name, number, path, kind, moment, low, begin)
    exact = [natural for natural, start in holding.items() if start == moment] or list(holding)
    if len(exact) == 1:
        return subject(exact[0])
    if exact:
        raise NotFound(
            f"{len(exact)} records of {path} and class {kind} hold {iso(moment)}; name one: {', '.join(exact)}"
        )
    raise NotFound(
        f"no {kind} of {path} holds {iso(moment)} in {name}[{number}]{_retention(logs, name, number)}; "
        f"its first would look like {path}#{kind}@{instant(moment)}~name@version"
    )


def _holding(
    logs: Logs, codec: Codec, name: str, number: int, path: Path, kind: str, moment: int, start: int, end: int | None
) -> dict[str, int]:
    """Natural id → begin, of the records there that hold the moment, by their newest revision."""
    key, newest = str(path).encode(), dict[str, Derived]()
    for source in logs.read(name, number, start, end):
        if source.key == key and (told := published(codec, source)) is not None:
            newest[told.record.natural_id] = told.record
    holding = {}
    for natural, record in newest.items():
        own, started_at = parse(natural)
        since, until = span(record, FOREVER)
        if is_of(own, kind) and (since <= moment < until or since == moment):
            holding[natural] = started_at
    return holding
