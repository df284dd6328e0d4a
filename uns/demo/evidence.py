"""What really is on the namespace and in the targets at the end of a demo, counted from outside the parts that wrote it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from schemas.records import Derived, Samples
from topology.namespace.classes import DERIVED, MessageClass
from uns.client.subscribe import Received


@dataclass
class Evidence:
    """Everything committed: derived records by id, and the keys that raw samples and records should have in a historian."""

    derived: dict[str, Derived] = field(default_factory=dict)
    latest: dict[str, Derived] = field(default_factory=dict)
    """Natural id → newest revision."""
    count: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    """Derived records whose id came twice: an engine that commits once makes none."""
    samples: set[tuple[str, str, int]] = field(default_factory=set)
    """(path, tag, at) of every raw sample."""
    quarantined: Counter[str] = field(default_factory=Counter)

    def take(self, received: Iterable[Received]) -> None:
        for message in received:
            record = message.record
            if message.message_class is MessageClass.QUARANTINE:
                self.quarantined[message.topic] += 1
            elif isinstance(record, Samples):
                path = str(message.path)
                self.samples.update((path, sample.tag, sample.at) for sample in record.samples)
            elif isinstance(record, Derived):
                self.hear(record)

    def hear(self, record: Derived) -> None:
        """A derived record that was committed."""
        self.count[record.message_class] += 1
        if record.id in self.derived:
            self.repeated += record.message_class != MessageClass.CURRENT
        self.derived[record.id] = record
        known = self.latest.get(record.natural_id)
        if known is None or known.revision < record.revision:
            self.latest[record.natural_id] = record

    def of(self, *names: MessageClass) -> list[Derived]:
        """Newest revisions of the named classes, in order of path and begin."""
        records = [record for record in self.latest.values() if record.message_class in names]
        return sorted(records, key=lambda record: (record.path, record.started_at, record.id))


CLASSES = (MessageClass.RAW, *DERIVED, MessageClass.QUARANTINE)


def delivery(expected: set[str], received: Iterable[str]) -> dict[str, int]:
    """How completely a target has what it should have: each expected key once is missing = duplicate = 0."""
    times = Counter(received)
    return {
        "expected": len(expected),
        "received": sum(times.values()),
        "missing": len(expected - times.keys()),
        "duplicate": sum(number - 1 for number in times.values()),
        "unexpected": len(times.keys() - expected),
    }


Select = Callable[[str], list[tuple[object, ...]]]


def historian(
    namespace: Evidence,
    classes: Iterable[MessageClass],
    rows_of: Callable[[str], Mapping[str, int]],
    samples: Iterable[tuple[str, str, int]],
) -> dict[str, int]:
    """Rows against the namespace: every raw sample and every revision of the subscribed derived classes, once each."""
    wanted = [name for name in classes if name is not MessageClass.RAW]
    expected = {record.id for record in namespace.derived.values() if record.message_class in wanted}
    expected_rows = len(expected) + len(namespace.samples)
    rows = missing = duplicate = 0
    held: Counter[str] = Counter()
    for name in wanted:
        held.update(rows_of(name))
    rows += sum(held.values())
    missing += len(expected - held.keys())
    duplicate += sum(number - 1 for number in held.values())
    stored = Counter(samples)
    rows += sum(stored.values())
    missing += len(namespace.samples - stored.keys())
    duplicate += sum(number - 1 for number in stored.values())
    return {"expected": expected_rows, "rows": rows, "missing": missing, "duplicate": duplicate}
