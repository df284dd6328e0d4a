"""How an audit looks: a page for people, one JSON document for machines."""

from collections.abc import Iterator, Sequence
from typing import Any

from processors.output.ledger import withdrawn
from schemas.records import Derived, Fact, Reason, Samples
from schemas.text import iso, to_plain
from uns.history.audit.arithmetic import TIME_QUANTITIES, seconds
from uns.history.audit.found import Audit, Part
from uns.history.evidence import Cause, Inputs, Published, RawRecord, Revision, Told
from uns.history.segments import Segment, element_us

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


def document(audit: Audit) -> dict[str, Any]:
    """Everything, JSON-ready: times ISO 8601, lengths in µs."""
    record, known = audit.record, audit.known
    found: dict[str, Any] = {
        "id": record.id,
        "natural_id": audit.subject.natural,
        "path": record.path,
        "class": record.message_class,
        "kind": audit.subject.kind,
        "started_at": iso(audit.window.start),
        "ended_at": iso(audit.window.end),
        "definition": {
            "label": record.definition,
            "known": known is not None,
            "origin": None if known is None else known.origin,
            "fingerprint": None if known is None else known.definition.fingerprint,
        },
        "record": to_plain(record),
        "revisions": [_revision(audit, one) for one in audit.revisions],
        "formulas": [
            {
                "name": one.name,
                "kpi": one.kpi,
                "formula": one.formula,
                "filled": one.filled,
                "result": one.result,
                "value": one.value,
                "published": one.published,
                "agrees": one.agrees,
            }
            for one in audit.worked
        ],
        "raw": {
            "topic": record.inputs.topic,
            "partition": record.inputs.partition,
            "first_offset": record.inputs.first_offset,
            "last_offset": record.inputs.last_offset,
            "records": audit.raw_records,
            "listed": [_raw(one) for one in audit.raw],
        },
        "parts": [_part(one) for one in audit.parts],
        "parts_agree": audit.sum_agrees,
        "notes": audit.notes,
    }
    if audit.inputs is not None:
        found["inputs"] = _inputs(audit, audit.inputs)
    return found


def _revision(audit: Audit, one: Revision) -> dict[str, Any]:
    published, cause = one.published, one.cause
    found: dict[str, Any] = {
        **_place(published),
        "id": published.record.id,
        "revision": published.record.revision,
        "status": published.record.status,
        "changed": {name: [_text(name, value) for value in pair] for name, pair in one.changed.items()},
    }
    if cause is not None:
        found["cause"] = {
            "raw_after": cause.after,
            "raw_upto": cause.upto,
            "exact": cause.exact,
            "records": cause.records,
            "samples": cause.samples,
            "first_offset": cause.first,
            "last_offset": cause.last,
            "late_samples": cause.late,
            "late_first_offset": cause.late_first,
            "late_last_offset": cause.late_last,
            "facts": [_told(told) for told in cause.facts],
        }
    if audit.parts:
        found["parts"] = [part.record.id for part in audit.parts_since(one)]
    if one.verified is not None:
        found["verified"] = one.verified
    return found


def _inputs(audit: Audit, inputs: Inputs) -> dict[str, Any]:
    definition = audit.known.definition if audit.known is not None else None
    sums = element_us(inputs.segments)
    return {
        "elements": [
            {
                "element": name,
                "us": us,
                "loss": None if definition is None else definition.elements[name].loss,
                "because": sorted({one.because for one in inputs.segments if one.element == name}),
            }
            for name, us in sums.items()
        ],
        "agrees": not inputs.missing_us and not inputs.uncovered,
        "missing_us": inputs.missing_us,
        "uncovered": [[iso(start), iso(end)] for start, end in inputs.uncovered],
        "pieces": [_segment(one) for one in inputs.segments],
        "states": [{**_place(one), **to_plain(one.record)} for one in inputs.states],
        "stops": [{**_place(one), **to_plain(one.record)} for one in inputs.stops],
        "production": [{**_place(one), **to_plain(one.record)} for one in inputs.production],
        "facts": [_told(one) for one in inputs.facts],
        "replaced": [_told(one) for one in inputs.replaced],
    }


def _segment(one: Segment) -> dict[str, Any]:
    raw = None if one.interval is None else one.interval.inputs
    return {
        "start": iso(one.start),
        "end": iso(one.end),
        "us": one.length_us,
        "state": one.state,
        "mode": one.mode,
        "planned": one.planned,
        "order": one.order,
        "shift": one.shift,
        "element": one.element,
        "because": one.because,
        "state_id": None if one.interval is None else one.interval.id,
        "downtime_id": None if one.stop is None else one.stop.id,
        "first_offset": None if raw is None else raw.first_offset,
        "last_offset": None if raw is None else raw.last_offset,
    }


def _part(one: Part) -> dict[str, Any]:
    found: dict[str, Any] = {"path": one.path, "why": one.why or None}
    if one.newest is not None:
        found |= {**_place(one.newest), "record": to_plain(one.newest.record)}
    if one.audit is not None:
        found["audit"] = document(one.audit)
    return found


def _place(one: Published) -> dict[str, Any]:
    return {
        "topic": one.topic,
        "partition": one.partition,
        "offset": one.offset,
        "kafka_time": iso(one.ingested_ms * 1000),
        "raw_cause": one.cause,
    }


def _told(one: Told) -> dict[str, Any]:
    return {"path": one.path, "raw_offset": one.offset, "kafka_time": iso(one.ingested_ms * 1000), **to_plain(one.fact)}


def _raw(one: RawRecord) -> dict[str, Any]:
    return {
        "path": one.path,
        "raw_offset": one.offset,
        "kafka_time": iso(one.ingested_ms * 1000),
        **to_plain(one.record),
    }


def page(audit: Audit, most: int = 40) -> str:
    """The same for people; tables of at most so many rows."""
    return "\n".join(_page(audit, most))


def _page(audit: Audit, most: int) -> Iterator[str]:
    record, known = audit.record, audit.known
    yield record.id
    yield f"  {record.path}  {audit.subject.kind}  {_when(audit.window.start)} to {_when(audit.window.end)}"
    gone = ": taken back, it must not count" if withdrawn(record) else ""
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
    for one in audit.worked:
        if one.value is None and one.published is None and one.kpi:
            continue  # nothing is known of it: --json says so
        said = "" if one.agrees else f"   ! the record says {one.published}"
        yield f"  {one.name} = {one.formula} = {one.filled} = {one.result}{said}"
    if unknown := [one.name for one in audit.worked if one.kpi and one.value is None and one.published is None]:
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
    provisional = [n for n, one in enumerate(revisions) if one.published.record.status == "provisional"]
    hidden = set(provisional[FEW // 2 : -FEW // 2]) if len(provisional) > FEW else set()
    for n, one in enumerate(revisions):
        if n in hidden:
            if n - 1 not in hidden:
                yield f"       … {len(hidden)} more provisional ones; --json shows all"
            continue
        published, cause = one.published, one.cause
        upto = "" if cause is None else f"  raw up to {cause.upto}{'' if cause.exact else ' (by Kafka time)'}"
        yield (
            f"  {published.record.revision:>3}  {published.record.status:<11}  {_when(published.ingested_ms * 1000)} (Kafka)  "
            f"{published.topic}[{published.partition}]@{published.offset}{upto}"
        )
        if one.verified is not None:
            yield f"       replay: {one.verified}"
        if published.record.status != "provisional":
            for name, (old, new) in one.changed.items():
                yield f"       {name}: {_short(name, old)} → {_short(name, new)}"
        if cause is not None:
            yield from _cause(cause, published.record.status)
        if audit.parts and published.record.status != "provisional":
            newest = {part.record.natural_id: part.record for part in audit.parts_since(one)}
            yield from (f"       after {record.id}, {record.status}" for record in newest.values())


def _cause(cause: Cause, status: str) -> Iterator[str]:
    if cause.samples and (status != "corrected" or not cause.late):
        yield f"       {cause.samples} samples in {cause.records} raw records, {_range(cause.first, cause.last)}"
    if cause.late:
        yield f"       {cause.late} late samples, {_range(cause.late_first, cause.late_last)}"
    yield from (f"       {_fact(told)}" for told in cause.facts)


def _inputs_page(audit: Audit, inputs: Inputs, most: int) -> Iterator[str]:
    definition = audit.known.definition if audit.known is not None else None
    if inputs.segments:
        yield "Time"
        for name, us in element_us(inputs.segments).items():
            rules = sorted({one.because for one in inputs.segments if one.element == name})
            loss = "" if definition is None else definition.elements[name].loss
            yield f"  {name:<10} {seconds(us):>14}  {loss:<12}  {' | '.join(rules)}"
        for name, us in inputs.missing_us.items():
            yield f"  ! {name}: the record has {seconds(us)} more than the pieces below account for"
        for start, end in inputs.uncovered:
            yield f"  ! no state record is known from {_when(start)} to {_when(end)}"
        if not inputs.missing_us and not inputs.uncovered:
            yield f"  in all {seconds(sum(one.length_us for one in inputs.segments))}, as the record says"
        yield ""
        rows = [_segment_row(one) for one in inputs.segments[:most]]
        head = ("from", "length", "state", "plan", "order", "stop", "counts as", "raw")
        yield from _table([head, *rows])
        if len(inputs.segments) > most:
            yield f"  … and {len(inputs.segments) - most} more; --show or --json"
        yield ""
    if inputs.production:
        first = min(one.record.inputs.first_offset for one in inputs.production)
        last = max(one.record.inputs.last_offset for one in inputs.production)
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


def _segment_row(one: Segment) -> tuple[str, ...]:
    stop = ""
    if one.stop is not None:
        stop = f"{one.stop.kind}: {one.stop.reason or one.stop.category or one.stop.reason_code or 'no reason'}"
    raw = "none" if one.interval is None else f"{one.interval.inputs.first_offset}–{one.interval.inputs.last_offset}"
    state = one.state if one.mode in ("production", "unknown") else f"{one.state} ({one.mode})"
    return (
        _when(one.start)[11:],
        seconds(one.length_us),
        state,
        one.planned,
        one.order or "–",
        stop or "–",
        one.element,
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
    for one in audit.raw:
        yield f"  {one.offset:>9}  {_when(one.ingested_ms * 1000)}  {one.path}  {_content(one)}"
    if audit.raw and len(audit.raw) < audit.raw_records:
        yield f"  … and {audit.raw_records - len(audit.raw)} more; --raw with a greater number"


def _content(one: RawRecord) -> str:
    record = one.record
    if isinstance(record, Samples):
        values = "  ".join(f"{sample.tag}={sample.value} @{_when(sample.at)[11:]}" for sample in record.samples)
        return f"Samples {record.source} {record.sequence}  {values}"
    return _plain(record)


def _fact(told: Told) -> str:
    return f"{_plain(told.fact)}  told {_when(told.ingested_ms * 1000)} (Kafka), raw {told.offset}, at {told.path}"


def _plain(fact: Fact | Any) -> str:
    plain = to_plain(fact)
    kind = plain.pop("type")
    name = plain.pop("id", "")
    who = f" by {plain.pop('by')}" if isinstance(fact, Reason) else ""
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


def _text(name: str, value: Any) -> Any:
    return iso(value) if name.endswith("_at") and isinstance(value, int) else value


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
