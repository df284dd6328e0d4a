"""An audit as a page for people. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from schemas.records import Derived, Fact, Gap, Reason, Samples
from schemas.text import iso, to_plain
from uns.history.audit.arithmetic import TIME_QUANTITIES, seconds
from uns.history.audit.result import Audit
from uns.history.evidence import Cause, ListedRecord, RecordInputs, ToldFact
from uns.history.segments import TimeSegment, element_us

_TOLD = {"type", "id", "path", "started_at", "ended_at", "definition", "status", "revision", "inputs"}
_TOLD |= {
    "element_us",
    "pieces",
    "quantities",
    "loss_us",
    "stops",
    "values",
    "parts",
    "rule",
    "ideal_us",
    "ideal_good_us",
}
FEW = 4
"""Provisional revisions shown on a page; --json has all."""


def page(audit: Audit, most: int = 40) -> str:
    """The same for people; tables of at most so many rows."""
    return "\n".join(_page(audit, most))


def _page(audit: Audit, most: int) -> Iterator[str]:
    record, known = audit.record, audit.known
    yield record.id
    yield f"  {record.path}  {audit.subject.kind}  {_when(audit.window.start)} to {_when(audit.window.end)}"
    gone = ": taken back, it must not count" if record.withdrawn else ""
    yield f"  revision {record.revision} of {len(audit.revisions)}, {record.status}{gone}"
    if said := _said(record):
        yield f"  {said}"
    yield from (f"  ! {note}" for note in audit.notes)
    yield ""
    yield "Revisions"
    yield from _revisions(audit)
    yield ""
    if known is None:
        yield f"Definition {record.definition}: not known here"
    else:
        yield f"Definition {record.definition} ({known.origin}, fingerprint {known.definition.fingerprint})"
    for line in audit.worked:
        if line.value is None and line.published is None and line.kpi:
            continue  # nothing is known of it: --json says so
        said = "" if line.agrees else f"   ! the record says {line.published}"
        yield f"  {line.name} = {line.formula} = {line.filled} = {line.result}{said}"
    if unknown := [line.name for line in audit.worked if line.kpi and line.value is None and line.published is None]:
        yield f"  without a value: {', '.join(unknown)}"
    yield ""
    if audit.inputs is not None:
        yield from _inputs_page(audit, audit.inputs, most)
    if audit.parts:
        yield from _parts_page(audit)
    yield from _raw_page(audit)
    for part in audit.parts:
        if part.audit is not None:
            yield "─" * 40
            yield from _page(part.audit, most)


def _said(record: Derived) -> str:
    """What a record says that is not told further below."""
    plain = {name: value for name, value in to_plain(record).items() if name not in _TOLD}
    return "  ".join(f"{name}={_short(name, value)}" for name, value in plain.items() if value not in (None, [], {}))


def _revisions(audit: Audit) -> Iterator[str]:
    revisions = audit.revisions
    provisional = [n for n, revision in enumerate(revisions) if revision.published.record.status == "provisional"]
    hidden = set(provisional[FEW // 2 : -FEW // 2]) if len(provisional) > FEW else set()
    for n, revision in enumerate(revisions):
        if n in hidden:
            if n - 1 not in hidden:
                yield f"       … {len(hidden)} more provisional ones; --json shows all"
            continue
        published, cause = revision.published, revision.cause
        upto = "" if cause is None else f"  raw up to {cause.upto}{'' if cause.exact else ' (by Kafka time)'}"
        yield (
            f"  {published.record.revision:>3}  {published.record.status:<11}  {_when(published.ingested_ms * 1000)} (Kafka)  "
            f"{published.topic}[{published.partition}]@{published.offset}{upto}"
        )
        if revision.verified is not None:
            yield f"       replay: {revision.verified}"
        if published.record.status != "provisional":
            for name, (old, new) in revision.changed.items():
                yield f"       {name}: {_short(name, old)} → {_short(name, new)}"
        if cause is not None:
            yield from _cause(cause, published.record.status)
        if audit.parts and published.record.status != "provisional":
            newest = {part.record.natural_id: part.record for part in audit.parts_since(revision)}
            yield from (f"       after {record.id}, {record.status}" for record in newest.values())


def _cause(cause: Cause, status: str) -> Iterator[str]:
    if cause.samples and (status != "corrected" or not cause.late):
        yield f"       {cause.samples} samples in {cause.records} raw records, {_range(cause.first, cause.last)}"
    if cause.late:
        yield f"       {cause.late} late samples, {_range(cause.late_first, cause.late_last)}"
    yield from (f"       {_fact(told)}" for told in cause.facts)


def _inputs_page(audit: Audit, inputs: RecordInputs, most: int) -> Iterator[str]:
    if inputs.segments:
        yield from _time(audit, inputs)
        yield ""
        yield from _table([_SEGMENT_HEAD, *map(_segment_row, inputs.segments[:most])])
        if len(inputs.segments) > most:
            yield f"  … and {len(inputs.segments) - most} more; --show or --json"
        yield ""
    if inputs.production:
        first = min(published.record.inputs.first_offset for published in inputs.production)
        last = max(published.record.inputs.last_offset for published in inputs.production)
        yield "Pieces"
        yield (
            f"  {inputs.good:,} good, {inputs.scrap:,} scrap in {len(inputs.production)} production records, "
            f"{_range(first, last)}"
        )
        yield ""
    if inputs.facts or inputs.replaced:
        yield "Facts in force"
        yield from (f"  {_fact(told)}" for told in inputs.facts)
        if inputs.replaced:
            yield "Replaced by these, or by later ones"
            yield from (f"  {_fact(told)}" for told in inputs.replaced)
        yield ""


def _time(audit: Audit, inputs: RecordInputs) -> Iterator[str]:
    """The record's time by element, and whether its pieces account for it."""
    definition = audit.known.definition if audit.known is not None else None
    yield "Time"
    for name, us in element_us(inputs.segments).items():
        rules = sorted({segment.because for segment in inputs.segments if segment.element == name})
        loss = "" if definition is None else definition.elements[name].loss
        yield f"  {name:<10} {seconds(us):>14}  {loss:<12}  {' | '.join(rules)}"
    for name, us in inputs.missing_us.items():
        yield f"  ! {name}: the record has {seconds(us)} more than the pieces below account for"
    for start, end in inputs.uncovered:
        yield f"  ! no state record is known from {_when(start)} to {_when(end)}"
    if not inputs.missing_us and not inputs.uncovered:
        yield f"  in all {seconds(sum(segment.length_us for segment in inputs.segments))}, as the record says"


_SEGMENT_HEAD = ("from", "length", "state", "plan", "order", "stop", "counts as", "raw")


def _segment_row(segment: TimeSegment) -> tuple[str, ...]:
    stop = ""
    if segment.stop is not None:
        stop = f"{segment.stop.kind}: {segment.stop.reason or segment.stop.category or segment.stop.reason_code or 'no reason'}"
    raw = (
        "none"
        if segment.interval is None
        else f"{segment.interval.inputs.first_offset}–{segment.interval.inputs.last_offset}"
    )
    state = segment.state if segment.mode in ("production", "unknown") else f"{segment.state} ({segment.mode})"
    return (
        _when(segment.start)[11:],
        seconds(segment.length_us),
        state,
        segment.planned,
        segment.order or "–",
        stop or "–",
        segment.element,
        raw,
    )


def _parts_page(audit: Audit) -> Iterator[str]:
    rule = getattr(audit.record, "rule", None)
    yield "Parts" + (f" ({rule})" if rule else "")
    for part in audit.parts:
        if part.newest is None:
            yield f"  {part.path}: {part.why}"
            continue
        record = part.newest.record
        oee = getattr(record, "values", {}).get("oee")
        yield (
            f"  {record.id}  {record.status}  OEE {'–' if oee is None else f'{oee:.4f}'}  "
            f"{part.newest.topic}[{part.newest.partition}]@{part.newest.offset}"
        )
    if audit.sum_agrees is not None:
        yield (
            "  their times add up to the whole's"
            if audit.sum_agrees
            else "  ! their times do not add up to the whole's"
        )
    if not any(part.audit for part in audit.parts):
        yield "  --deep goes on into them"
    yield ""


def _raw_page(audit: Audit) -> Iterator[str]:
    inputs = audit.record.inputs
    yield "Raw"
    if inputs.partition < 0:
        yield "  of several partitions: each part names its own"
        return
    yield f"  {inputs.topic}[{inputs.partition}] {inputs.first_offset}–{inputs.last_offset}"
    if audit.inputs is not None or audit.raw_records:
        yield f"  {audit.raw_records} records of it and its line touch the window" + (
            "; --raw lists them" if not audit.raw else ""
        )
    for listed in audit.raw:
        yield f"  {listed.offset:>9}  {_when(listed.ingested_ms * 1000)}  {listed.path}  {_content(listed)}"
    if audit.raw and len(audit.raw) < audit.raw_records:
        yield f"  … and {audit.raw_records - len(audit.raw)} more; --raw with a greater number"


def _content(listed: ListedRecord) -> str:
    record = listed.record
    if isinstance(record, Samples):
        values = "  ".join(f"{sample.tag}={sample.value} @{_when(sample.at)[11:]}" for sample in record.samples)
        return f"Samples {record.source} {record.sequence}  {values}"
    return _plain(record)


def _fact(told: ToldFact) -> str:
    return f"{_plain(told.fact)}  told {_when(told.ingested_ms * 1000)} (Kafka), raw {told.offset}, at {told.path}"


def _plain(fact: Fact | Any) -> str:
    plain = to_plain(fact)
    kind = plain.pop("type")
    name = plain.pop("id", "")
    who = f" by {plain.pop('by')}" if isinstance(fact, Reason | Gap) else ""
    rest = "  ".join(f"{key}={_short(key, value)}" for key, value in plain.items() if value not in (None, []))
    return f"{kind} {name}{who}  {rest}".strip()


def _short(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return seconds(round(value)) if name.rpartition(".")[2] in TIME_QUANTITIES else f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        if name.endswith("_at"):
            return _when(value)
        leaf = name.partition(".")[0]
        return seconds(value) if leaf.endswith("_us") or name.endswith("_us") else f"{value}"
    text = str(value)
    return text[:19] + "Z" if name.endswith(("_at", "at")) and text[10:11] == "T" else text


def _when(us: int) -> str:
    text = iso(us)[:26].replace("T", " ")
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "Z"


def _range(first: int | None, last: int | None) -> str:
    return "" if first is None else f"raw {first}" if first == last else f"raw {first}–{last}"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
