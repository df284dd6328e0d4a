"""Topic filters: which topics match one, and which filters a topic may have come by. Pure."""

import re
from collections.abc import Iterable, Iterator

LEVELS_MAX = 7
_SHARED = re.compile(r"\$share/[^/]+/(?=.)")


def matches(pattern: str, topic: str) -> bool:
    """MQTT's own rule: `+` one level, a final `#` all that follow, the parent included; neither sees topics with `$`.
    A shared subscription (`$share/group/…`) matches as what stands behind its group."""
    pattern = _SHARED.sub("", pattern, count=1) if pattern.startswith("$share/") else pattern
    if topic.startswith("$") and pattern[:1] in ("+", "#"):
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        return len(levels) >= len(wanted) and all(w in ("+", level) for w, level in zip(wanted, levels, strict=False))
    return len(levels) == len(wanted) and all(w in ("+", level) for w, level in zip(wanted, levels, strict=True))


def covers(one: str, other: str) -> bool:
    """Whether every topic that matches the other filter matches the one. Of a shared filter only what is the same."""
    if one == other or one.startswith("$share/") or other.startswith("$share/"):
        return one == other
    if other.startswith("$") and one[:1] in ("+", "#"):
        return False
    wanted, levels = one.split("/"), other.split("/")
    for n, level in enumerate(wanted):
        if level == "#":
            return True
        if n >= len(levels) or levels[n] == "#" or level not in ("+", levels[n]):
            return False
    return len(levels) == len(wanted)


def fewest(filters: Iterable[str]) -> list[str]:
    """The filters without those that others cover: a broker may send a message once for each that fits."""
    each = list(dict.fromkeys(filters))
    return [one for one in each if not any(other != one and covers(other, one) for other in each)]


def filters_of(topic: str) -> Iterator[str]:
    """Every filter that matches a topic of up to `LEVELS_MAX` levels; of a longer one itself, and those that end in #.

    A broker does not tell what a session is subscribed to; it can be told to forget what it may be.
    """
    levels = topic.split("/")
    if len(levels) > LEVELS_MAX:
        yield topic
        for n in range(len(levels) + 1):
            yield "/".join([*levels[:n], "#"])
        return
    beginnings: list[list[str]] = [[]]
    for level in levels:
        for beginning in beginnings:
            yield "/".join([*beginning, "#"])
        beginnings = [[*beginning, part] for beginning in beginnings for part in (level, "+")]
    for beginning in beginnings:
        yield "/".join(beginning)
        yield "/".join([*beginning, "#"])
