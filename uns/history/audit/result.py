"""What an audit comes to: everything that the page and the document show. Pure."""

from dataclasses import dataclass, field

from schemas.records import Derived, Kpi
from topology.namespace.path import Level
from uns.history.audit.arithmetic import Worked
from uns.history.audit.subject import Subject
from uns.history.evidence import AuditWindow, ListedRecord, PublishedRecord, RecordInputs, Revision
from uns.model.kpi import KnownDefinition


@dataclass(slots=True)
class RollupPart:
    """One part of a roll-up."""

    path: str
    revisions: list[Revision]
    """Of its own record of the window; none: not found."""
    why: str = ""
    audit: "Audit | None" = None

    @property
    def newest(self) -> PublishedRecord | None:
        return self.revisions[-1].published if self.revisions else None


@dataclass(slots=True)
class Audit:
    """All that a record rests on."""

    subject: Subject
    revisions: list[Revision]
    known: KnownDefinition | None
    worked: list[Worked]
    window: AuditWindow
    inputs: RecordInputs | None = None
    """None: not computed from raw records of one machine."""
    parts: list[RollupPart] = field(default_factory=list)
    raw: list[ListedRecord] = field(default_factory=list)
    raw_records: int = 0
    """Raw records that touch the window; at most `Asked.raw` of them are listed."""
    notes: list[str] = field(default_factory=list)

    @property
    def sum_agrees(self) -> bool | None:
        """Whether the parts' time adds up to the whole's; None: a line's follows from its rule, or a part is missing."""
        whole = self.record
        records = [part.newest.record for part in self.parts if part.newest is not None]
        if not isinstance(whole, Kpi) or self.subject.path.level is Level.LINE or len(records) < len(self.parts):
            return None
        sums: dict[str, int] = {}
        for record in records:
            for name, us in record.element_us.items() if isinstance(record, Kpi) else ():
                sums[name] = sums.get(name, 0) + us
        return sums == {name: whole.element_us.get(name, 0) for name in sums | whole.element_us}

    def parts_since(self, revision: Revision) -> list[PublishedRecord]:
        """Revisions of parts that were published between the revision before and this one, by Kafka's times."""
        before = max(
            (
                other.published.ingested_ms
                for other in self.revisions
                if other.published.offset < revision.published.offset
            ),
            default=-1,
        )
        return [
            part_revision.published
            for part in self.parts
            for part_revision in part.revisions
            if before < part_revision.published.ingested_ms <= revision.published.ingested_ms
        ]

    @property
    def asked(self) -> Revision:
        """The revision asked about."""
        wanted = self.subject.revision
        return next(
            (revision for revision in self.revisions if revision.published.record.revision == wanted),
            self.revisions[-1],
        )

    @property
    def record(self) -> Derived:
        return self.asked.published.record
