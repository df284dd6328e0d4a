"""Stretches of time."""


def merged(spans: list[tuple[int, int]], lowest: int, highest: int) -> list[tuple[int, int]]:
    """The union of stretches, clipped to [lowest, highest], in order."""
    if len(spans) == 1:  # the usual case
        ((start, end),) = spans
        lo, hi = max(start, lowest), min(end, highest)
        return [(lo, hi)] if lo <= hi else []
    union: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        lo, hi = max(start, lowest), min(end, highest)
        if lo > hi:
            continue
        if union and lo <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], hi))
        else:
            union.append((lo, hi))
    return union
