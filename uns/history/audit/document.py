"""An audit as one JSON document for machines: everything that it found. Pure."""

from typing import Any

from schemas.text import iso, to_plain
from uns.history.audit.result import Audit, RollupPart
from uns.history.evidence import ListedRecord, PublishedRecord, RecordInputs, Revision, ToldFact
from uns.history.segments import TimeSegment, element_us


def document(audit: Audit) -> dict[str, Any]:
    """Everything, JSON-ready: times ISO 8601, lengths in µs."""
    record, known = audit.record, audit.known
    whole: dict[str, Any] = {
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
        "revisions": [_revision(audit, revision) for revision in audit.revisions],
        "formulas": [
            {
                "name": line.name,
                "kpi": line.kpi,
                "formula": line.formula,
                "filled": line.filled,
                "result": line.result,
                "value": line.value,
                "published": line.published,
                "agrees": line.agrees,
            }
            for line in audit.worked
        ],
        "raw": {
            "topic": record.inputs.topic,
            "partition": record.inputs.partition,
            "first_offset": record.inputs.first_offset,
            "last_offset": record.inputs.last_offset,
            "records": audit.raw_records,
            "listed": [_raw(listed) for listed in audit.raw],
        },
        "parts": [_part(part) for part in audit.parts],
        "parts_agree": audit.sum_agrees,
        "notes": audit.notes,
    }
    if audit.inputs is not None:
        whole["inputs"] = _inputs(audit, audit.inputs)
    return whole


def _revision(audit: Audit, revision: Revision) -> dict[str, Any]:
    published, cause = revision.published, revision.cause
    plain: dict[str, Any] = {
        **_place(published),
        "id": published.record.id,
        "revision": published.record.revision,
        "status": published.record.status,
        "changed": {name: [_text(name, value) for value in pair] for name, pair in revision.changed.items()},
    }
    if cause is not None:
        plain["cause"] = {
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
        plain["parts"] = [part.record.id for part in audit.parts_since(revision)]
    if revision.verified is not None:
        plain["verified"] = revision.verified
    return plain


def _inputs(audit: Audit, inputs: RecordInputs) -> dict[str, Any]:
    definition = audit.known.definition if audit.known is not None else None
    sums = element_us(inputs.segments)
    return {
        "elements": [
            {
                "element": name,
                "us": us,
                "loss": None if definition is None else definition.elements[name].loss,
                "because": sorted({segment.because for segment in inputs.segments if segment.element == name}),
            }
            for name, us in sums.items()
        ],
        "agrees": not inputs.missing_us and not inputs.uncovered,
        "missing_us": inputs.missing_us,
        "uncovered": [[iso(start), iso(end)] for start, end in inputs.uncovered],
        "pieces": [_segment(segment) for segment in inputs.segments],
        "states": [{**_place(published), **to_plain(published.record)} for published in inputs.states],
        "stops": [{**_place(published), **to_plain(published.record)} for published in inputs.stops],
        "production": [{**_place(published), **to_plain(published.record)} for published in inputs.production],
        "facts": [_told(told) for told in inputs.facts],
        "replaced": [_told(told) for told in inputs.replaced],
    }


def _segment(segment: TimeSegment) -> dict[str, Any]:
    raw = None if segment.interval is None else segment.interval.inputs
    return {
        "start": iso(segment.start),
        "end": iso(segment.end),
        "us": segment.length_us,
        "state": segment.state,
        "mode": segment.mode,
        "planned": segment.planned,
        "order": segment.order,
        "shift": segment.shift,
        "element": segment.element,
        "because": segment.because,
        "state_id": None if segment.interval is None else segment.interval.id,
        "downtime_id": None if segment.stop is None else segment.stop.id,
        "first_offset": None if raw is None else raw.first_offset,
        "last_offset": None if raw is None else raw.last_offset,
    }


def _part(part: RollupPart) -> dict[str, Any]:
    plain: dict[str, Any] = {"path": part.path, "why": part.why or None}
    if part.newest is not None:
        plain |= {**_place(part.newest), "record": to_plain(part.newest.record)}
    if part.audit is not None:
        plain["audit"] = document(part.audit)
    return plain


def _place(published: PublishedRecord) -> dict[str, Any]:
    return {
        "topic": published.topic,
        "partition": published.partition,
        "offset": published.offset,
        "kafka_time": iso(published.ingested_ms * 1000),
        "raw_cause": published.cause,
    }


def _told(told: ToldFact) -> dict[str, Any]:
    return {
        "path": told.path,
        "raw_offset": told.offset,
        "kafka_time": iso(told.ingested_ms * 1000),
        **to_plain(told.fact),
    }


def _raw(listed: ListedRecord) -> dict[str, Any]:
    return {
        "path": listed.path,
        "raw_offset": listed.offset,
        "kafka_time": iso(listed.ingested_ms * 1000),
        **to_plain(listed.record),
    }


def _text(name: str, value: Any) -> Any:
    return iso(value) if name.endswith("_at") and isinstance(value, int) else value
