"""Times of a controller as ISO 8601. Pure."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

_DAY_NS = 86_400_000_000_000


def local(moment: datetime, ns: int, zone: ZoneInfo | None) -> str:
    """A moment in whole seconds and ns beside; with an offset where the zone is known. Raises `ValueError`."""
    if ns >= 1_000_000_000:
        raise ValueError(f"a second has no {ns} ns")
    if zone is not None:
        moment = moment.replace(tzinfo=zone)
    seconds, offset = moment.isoformat()[:19], moment.isoformat()[19:]
    return seconds + _fraction(ns) + offset


def of_day(ns: int) -> str:
    """ns since midnight as a time. Raises `ValueError`."""
    if ns >= _DAY_NS:
        raise ValueError("a day is over before")
    seconds, fraction = divmod(ns, 1_000_000_000)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60).isoformat() + _fraction(fraction)


def _fraction(ns: int) -> str:
    if ns == 0:
        return ""
    return f".{ns // 1000:06}" if ns % 1000 == 0 else f".{ns:09}"
