"""Records that the target broke over: whose fault is it? Pure.

A try counts against a record only where the target took another in the same call: in an outage nobody is guilty.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass
class Suspect:
    reason: str
    words: str
    since: float
    """First blamed, or first failed while nothing else could be tried."""
    tries: int = 0
    blamed: int = 0


@dataclass
class Suspects:
    """Keyed by record; as many as a runner holds back."""

    tries_max: int
    tries_s: float
    _of: dict[Hashable, Suspect] = field(default_factory=dict)

    def failed(self, key: Hashable, reason: str, words: str, now: float) -> None:
        suspect = self._of.setdefault(key, Suspect(reason, words, now))
        suspect.reason, suspect.words, suspect.tries = reason, words, suspect.tries + 1

    def blame(self, key: Hashable, now: float) -> str | None:
        """Others were taken. The verdict's words once it has been often and long enough; None before."""
        suspect = self._of[key]
        suspect.since = suspect.since if suspect.blamed else now
        suspect.blamed += 1
        past_s = now - suspect.since
        if suspect.blamed < self.tries_max or past_s < self.tries_s:
            return None
        del self._of[key]
        return f"{suspect.blamed} tries in {past_s:.0f} s, while the target took others: {suspect.words}"

    def done(self, key: Hashable) -> None:
        self._of.pop(key, None)

    def tried(self, key: Hashable) -> int:
        """How often it failed."""
        return self._of[key].tries if key in self._of else 0

    def lone(self, key: Hashable) -> bool:
        """It failed so often that something behind it is to be tried, to see whether the target takes that."""
        return self.tried(key) >= self.tries_max
