"""The message classes: a closed set, so that a topic's last word always says what is in it."""

from enum import StrEnum


class MessageClass(StrEnum):
    RAW = "raw"
    STATE = "state"
    PRODUCTION = "production"
    DOWNTIME = "downtime"
    CHANGEOVER = "changeover"
    CYCLE = "cycle"
    OEE = "oee"
    QUALITY = "quality"
    CONDITION = "condition"
    ALERT = "alert"
    CURRENT = "current"
    KPI = "kpi"
    QUARANTINE = "quarantine"
    CHANGELOG = "changelog"

    @property
    def internal(self) -> bool:
        """Internal classes live under a prefix of their own, so that reading a site never grants them."""
        return self in (MessageClass.QUARANTINE, MessageClass.CHANGELOG)

    @property
    def compacted(self) -> bool:
        return self in (MessageClass.CURRENT, MessageClass.CHANGELOG)


DERIVED = (
    MessageClass.STATE,
    MessageClass.PRODUCTION,
    MessageClass.DOWNTIME,
    MessageClass.CHANGEOVER,
    MessageClass.CYCLE,
    MessageClass.OEE,
    MessageClass.QUALITY,
    MessageClass.CONDITION,
    MessageClass.ALERT,
    MessageClass.CURRENT,
    MessageClass.KPI,
)
