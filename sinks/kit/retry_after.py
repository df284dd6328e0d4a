"""`Retry-After` as seconds (RFC 9110). Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

RETRY_AFTER_MAX_S = 3600.0


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that `Retry-After` asks for, by the target's own clock where it tells it; bounded. None: it asks nothing."""
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked[:9]), RETRY_AFTER_MAX_S)
    if (until := _date(asked)) is None:
        return None
    return min(max((until - (_date(headers.get("date", "")) or now)) / timedelta(seconds=1), 0.0), RETRY_AFTER_MAX_S)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
