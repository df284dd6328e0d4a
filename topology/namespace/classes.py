"""The message classes: a closed set, so that a topic's last word always says what is in it."""

from enum import StrEnum

from schemas.derived import DERIVED_TYPES, type_of


class MessageClass(StrEnum):
    """What a topic holds. A derived class has one record type, whose `message_class` it is."""

    RAW = "raw"
    STATE = "state"
    PRODUCTION = "production"
    DOWNTIME = "downtime"
    CHANGEOVER = "changeover"
    CYCLE = "cycle"
    OEE = "oee"
    QUALITY = "quality"
    CAPABILITY = "capability"
    ALERT = "alert"
    CONDITION = "condition"
    CURRENT = "current"
    KPI = "kpi"
    BOTTLENECK = "bottleneck"
    DRIVER = "driver"
    PREDICTION = "prediction"
    PILOT = "pilot"
    NOTE = "note"
    QUARANTINE = "quarantine"
    CHANGELOG = "changelog"
    RETRY = "retry"
    """Quarantined records that one sink is to be given again."""
    DISPOSITION = "disposition"
    """What was decided of quarantined records."""
    LEASE = "lease"
    """Which host reads the source of a connector."""

    @property
    def internal(self) -> bool:
        """Internal classes live under a prefix of their own, so that reading a site never grants them."""
        return self in (
            MessageClass.QUARANTINE,
            MessageClass.CHANGELOG,
            MessageClass.RETRY,
            MessageClass.DISPOSITION,
            MessageClass.LEASE,
        )

    @property
    def compacted(self) -> bool:
        """Whether Kafka keeps the newest record of each key only."""
        return self in (
            MessageClass.CURRENT,
            MessageClass.CHANGELOG,
            MessageClass.DISPOSITION,
            MessageClass.LEASE,
        )


_CARRIED = frozenset(kind.message_class for kind in DERIVED_TYPES)
DERIVED = tuple(name for name in MessageClass if name in _CARRIED)
"""The classes of derived records: those that a record type is made for, in a fixed order."""
RESERVED = frozenset({*map(str, MessageClass), "case", "schedule"})
"""Words that no path segment may be: the classes, and those that are still to come. The latter have no topics."""


def class_of(id_kind: str) -> MessageClass | None:
    """The class of the records whose ids have a kind such as `oee.hour` or `pilot-smed`; None: no record's kind."""
    kind = type_of(id_kind)
    return None if kind is None else MessageClass(kind.message_class)
