"""What a plant needs of its cluster, and the steps from what is there to that. Pure: `uns.model.apply` does the asking and doing."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.catalog import sources
from topology.model.plant import Plant
from topology.model.wiring import Access, Retention
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.filters import ONE, Filter
from topology.namespace.path import Level
from topology.namespace.topics import INTERNAL_SUFFIX, PREFIX, parse_topic, topic

SEGMENT_BYTES = 64 * 1024 * 1024
HOUR_MS = 3_600_000
MESSAGE_MAX_BYTES = 2_000_000
COMPATIBILITY = "BACKWARD_TRANSITIVE"
"""Any consumer with the newest schema reads all that was ever written."""
STRICT_ENOUGH = (COMPATIBILITY, "FULL_TRANSITIVE")
QUARANTINE_MAX_BYTES = 2_500_000
"""A quarantined record is its original plus headers."""
OF_ENTERPRISE = (MessageClass.RETRY, MessageClass.DISPOSITION, MessageClass.LEASE)
"""Classes of the enterprise alone: what is decided of quarantined records, wherever they lie, and who runs a connector."""
LEASE_CONFIG = {
    "cleanup.policy": "compact,delete",
    "message.timestamp.type": "LogAppendTime",  # one clock, the broker's, judges all hosts
    "min.compaction.lag.ms": "600000",  # of the last minutes every word counts, not the newest alone
    "retention.ms": str(30 * 24 * HOUR_MS),
    "segment.bytes": str(1024 * 1024),
    "segment.ms": "600000",  # a connector reads all of it as it starts
}
DISPOSITION_KEPT_H = 31 * 24
"""So much longer than the quarantined record, whose segment may outlive it by weeks."""
ABOVE_AREAS = (MessageClass.KPI, MessageClass.PILOT, MessageClass.QUARANTINE)
"""Classes of sites and of the enterprise: roll-ups, pilots over several areas, and raw records that name no area."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A Kafka topic: its partitions, and the settings that differ from the broker's own."""

    name: str
    partitions: int
    config: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One Kafka ACL on topics. `prefixed`: the name is a prefix, always with its closing dot."""

    principal: str
    name: str
    prefixed: bool
    operation: str


@dataclass(frozen=True)
class Cluster:
    """Desired or actual state: topics by name, schema text and compatibility level by subject, ACLs."""

    topics: Mapping[str, Topic] = field(default_factory=dict)
    subjects: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    acls: frozenset[Acl] = frozenset()
    snapshots: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Work unit → (topic, partition) of its snapshot in class `current`. Only of an actual state."""
    units: frozenset[str] = frozenset()
    """Work units of the plant. Only of a desired state."""


class Kind(StrEnum):
    """What a step does, in the words of the plan."""

    CREATE_TOPIC = "create topic"
    ALTER_TOPIC = "alter topic"
    SET_COMPATIBILITY = "set compatibility"
    REGISTER_SCHEMA = "register schema"
    CREATE_ACL = "create acl"
    REMOVE_PATH = "remove path"
    """Of a machine that the model no longer names: its snapshot, and what follows it; no history."""
    REFUSED = "refused"
    """Would lose or reorder data; a person must decide."""
    LEFT_OVER = "left over"
    """There, and not in the model; nothing is deleted by itself."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do or to know."""

    kind: Kind
    name: str
    detail: str
    topic: Topic | None = None
    changes: tuple[tuple[str, str], ...] = ()
    schema: str | None = None
    level: str | None = None
    """Compatibility level to set before the schema is registered."""
    acl: Acl | None = None
    place: tuple[str, int] | None = None
    """(topic, partition) of what is removed."""

    @property
    def acts(self) -> bool:
        """Whether applying it changes the cluster."""
        return self.kind not in (Kind.REFUSED, Kind.LEFT_OVER)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f": {self.detail}" if self.detail else "")


def desired(plant: Plant, prefix: str = PREFIX) -> Cluster:
    """Topics, subjects and ACLs of a plant."""
    topics: dict[str, Topic] = {}
    for area, partitions in plant.areas().items():
        for message_class in (MessageClass.RAW, *DERIVED, MessageClass.QUARANTINE, MessageClass.CHANGELOG):
            name = topic(area, message_class, prefix)
            topics[name] = Topic(name, partitions, _config(message_class, plant.retention))
    for place in plant.places():
        if place.level < Level.AREA:
            for message_class in ABOVE_AREAS + (OF_ENTERPRISE if place.level is Level.ENTERPRISE else ()):
                name = topic(place, message_class, prefix)
                topics[name] = Topic(name, 1, _config(message_class, plant.retention))
    granted = frozenset(acl for access in plant.access for acl in acls(access, topics, prefix))
    units = frozenset(map(str, plant.cells()))
    return Cluster(topics, sources(), dict.fromkeys(sources(), COMPATIBILITY), granted, units=units)


def _config(message_class: MessageClass, retention: Retention) -> tuple[tuple[str, str], ...]:
    config = {"max.message.bytes": str(MESSAGE_MAX_BYTES)}
    if message_class.compacted:
        # A worker restores from the changelog, a screen from the snapshots: little dead weight keeps both quick.
        # The newest segment is never compacted, so it may not grow long.
        config |= {
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": "0.2",
            "segment.bytes": str(SEGMENT_BYTES),
            "segment.ms": str(HOUR_MS),
        }
    if message_class is MessageClass.LEASE:
        config |= LEASE_CONFIG
    if message_class is MessageClass.DISPOSITION and retention.quarantine_h is not None:
        kept_h = retention.quarantine_h + DISPOSITION_KEPT_H
        config |= {"cleanup.policy": "compact,delete", "retention.ms": str(int(kept_h * HOUR_MS))}
    if not message_class.compacted:
        hours = {
            MessageClass.RAW: retention.raw_h,
            MessageClass.QUARANTINE: retention.quarantine_h,
            MessageClass.RETRY: retention.quarantine_h,
        }.get(message_class, retention.derived_h)
        config |= {"cleanup.policy": "delete", "retention.ms": "-1" if hours is None else str(int(hours * HOUR_MS))}
    if message_class in (MessageClass.QUARANTINE, MessageClass.CHANGELOG, MessageClass.RETRY):
        config["max.message.bytes"] = str(QUARANTINE_MAX_BYTES)
    return tuple(sorted(config.items()))


def acls(access: Access, topics: Iterable[str], prefix: str = PREFIX) -> Iterator[Acl]:
    """One prefixed ACL where a whole place with every class is granted, else a literal one for each of `topics` it names."""
    wanted = Filter.parse(access.filter)
    fixed = wanted.levels[:-1]
    literal = set(access.classes)
    if {MessageClass.RAW, *DERIVED} <= literal and fixed and ONE not in fixed:
        # Without the closing dot `uns.acme.dallas` would grant dallas2, too.
        yield Acl(access.principal, ".".join((prefix, *fixed, "")), True, access.operation)
        literal = {message_class for message_class in literal if message_class.internal}
    for name in topics:
        place, message_class = parse_topic(name, prefix)
        if message_class in literal and wanted.may_match_under(place):
            yield Acl(access.principal, name, False, access.operation)


def diff(wanted: Cluster, actual: Cluster, prefix: str = PREFIX) -> list[Step]:
    """The steps from `actual` to `wanted`, in the order to take them. Empty when nothing is to do or to say."""
    return [
        *_topic_steps(wanted, actual),
        *_schema_steps(wanted, actual),
        *_acl_steps(wanted, actual),
        *_removals(wanted, actual),
        *_left_over(wanted, actual, prefix),
    ]


def _topic_steps(wanted: Cluster, actual: Cluster) -> Iterator[Step]:
    for name, desired_topic in wanted.topics.items():
        known = actual.topics.get(name)
        if known is None:
            count = f"{desired_topic.partitions} partition{'s' if desired_topic.partitions > 1 else ''}"
            yield Step(Kind.CREATE_TOPIC, name, count, topic=desired_topic)
            continue
        if known.partitions != desired_topic.partitions:
            yield Step(
                Kind.REFUSED,
                name,
                f"has {known.partitions} partitions, the model says {desired_topic.partitions}: another number would send "
                "lines to other partitions and break their order. Set the model back, or give the area a new name",
            )
        has = dict(known.config)
        changes = tuple((key, value) for key, value in desired_topic.config if has.get(key) != value)
        if changes:
            words = ", ".join(f"{key} {has.get(key)} → {value}" for key, value in changes)
            yield Step(Kind.ALTER_TOPIC, name, words, topic=desired_topic, changes=changes)


def _schema_steps(wanted: Cluster, actual: Cluster) -> Iterator[Step]:
    for subject, text in wanted.subjects.items():
        level = None if actual.levels.get(subject) in STRICT_ENOUGH else wanted.levels.get(subject)
        if not _same_schema(actual.subjects.get(subject), text):
            detail = "new version" if subject in actual.subjects else "first version"
            yield Step(Kind.REGISTER_SCHEMA, subject, detail, schema=text, level=level)
        elif level is not None:
            yield Step(Kind.SET_COMPATIBILITY, subject, level, level=level)


def _acl_steps(wanted: Cluster, actual: Cluster) -> Iterator[Step]:
    for acl in sorted(wanted.acls - actual.acls):
        how = "prefix" if acl.prefixed else "topic"
        yield Step(Kind.CREATE_ACL, acl.name, f"{acl.principal} may {acl.operation} the {how}", acl=acl)


def _removals(wanted: Cluster, actual: Cluster) -> Iterator[Step]:
    """One step a work unit that has a snapshot and is none of the plant. What reads snapshots follows: page, mirrors."""
    for path in sorted(actual.snapshots.keys() - wanted.units):
        words = (
            "no machine of the model: its snapshot goes, its history stays. Processors that run with an older model say it "
            "anew: restart them first"
        )
        yield Step(Kind.REMOVE_PATH, path, words, place=actual.snapshots[path])


def _left_over(wanted: Cluster, actual: Cluster, prefix: str) -> Iterator[Step]:
    """What is there under the plant's enterprises and not in its model."""
    ours = tuple(
        f"{root}.{enterprise}."
        for enterprise in _enterprises(wanted, prefix)
        for root in (prefix, prefix + INTERNAL_SUFFIX)
    )
    if wanted.acls:  # a model without `access` leaves ACLs to others
        for acl in sorted(actual.acls - wanted.acls):
            if acl.name.startswith(ours):
                words = f"{acl.principal} may {acl.operation} it; kafka-acls removes it"
                yield Step(Kind.LEFT_OVER, acl.name, words, acl=acl)
    for name in sorted(actual.topics.keys() - wanted.topics.keys()):
        if name.startswith(ours):
            yield Step(Kind.LEFT_OVER, name, "a topic of this enterprise that the model does not name")


def _same_schema(registered: str | None, text: str) -> bool:
    # Registries give a schema back in their own spelling.
    return registered is not None and json.loads(registered) == json.loads(text)


def snapshot_topics(wanted: Cluster, there: Iterable[str], prefix: str = PREFIX) -> list[str]:
    """Topics of class `current` under the plant's enterprise, those of areas that left the model among them."""
    ours = tuple(f"{prefix}.{enterprise}." for enterprise in _enterprises(wanted, prefix))
    return sorted(name for name in there if name.startswith(ours) and name.endswith(f".{MessageClass.CURRENT}"))


def _enterprises(cluster: Cluster, prefix: str) -> set[str]:
    return {name.split(".")[1] for name in cluster.topics if name.startswith(prefix)}
