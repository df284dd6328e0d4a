"""Numbers and times as people at a screen read them."""

from schemas.text import moment


def clock(at: int | None) -> str:
    """Plant time of day, UTC, of µs; a dash for None and for 0, which is no time yet."""
    try:
        return f"{moment(at):%H:%M:%S}" if at else "–"
    except OverflowError:  # of what no calendar has
        return "–"


def span(duration_us: int) -> str:
    """A duration an operator can read: 45 s, 12 min, 3 h 05."""
    seconds = max(duration_us, 0) // 1_000_000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d}"


def seen(coverage: float | None, why_null: str | None) -> str:
    """What an operator must know of a ratio: how much of the time it speaks of was seen. Empty: all of it."""
    if why_null is not None:
        return f"{why_null}: pieces are counted, OEE cannot be told"
    if coverage is None or coverage >= 1:
        return ""
    share = "under 1 %" if coverage < 0.01 else f"{min(99, int(100 * coverage))} %"
    return f"rests on {share} of the time; the rest was not seen"


def percent(ratio: float | None) -> str:
    """A ratio as a percentage; what has no denominator is a dash, not a zero."""
    return "–" if ratio is None else f"{100 * ratio:.1f} %"
