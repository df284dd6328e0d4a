"""Which machines and tags of a connected source have gone quiet. Pure: it is told what time it is; any thread may ask.

A link that stands proves nothing of the machines behind it. What may be silent by nature (a source that speaks when something
changes) is watched only where the plant model says how long is too long; what speaks in cycles is watched by itself.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from connectors.base import Batch
from topology.model.plant import Plant
from topology.model.shaping import own_rule
from topology.model.wiring import ConnectorEntry
from topology.namespace.path import Path

CYCLES = 3
"""Of a source that speaks in cycles so many are waited for."""
CYCLES_MIN_S = 30.0
"""At least, also where cycles are short: a device that is switched on again takes so long."""
TAGS_MAX = 100_000
"""Tags whose rule is remembered: a source that invents tags must not fill the memory."""
TOLD_MAX = 20
MACHINE = ""
"""Stands for all tags of a machine."""


class Quiet(NamedTuple):
    """What has said nothing for longer than it may."""

    path: Path
    tags: str
    """The pattern of the rule whose tags are meant, or `MACHINE`."""
    age_s: float
    after_s: float

    def __str__(self) -> str:
        what = f"no value of {self.tags!r}" if self.tags else "no value"
        return f"{self.path}: {what} for {self.age_s:.0f} s, though its source is connected; stale after {self.after_s:g} s"


class Freshness:
    """When each machine, and each group of tags that a rule watches, last had a value that is not bad."""

    def __init__(
        self, entry: ConnectorEntry, plant: Plant, every_s: float | None = None, expected: Iterable[Path] = ()
    ) -> None:
        """`every_s`: the longest time between two values of a machine, of a source that speaks in cycles. `expected`: the
        machines that are named; others are watched from their first value on."""
        cycles_s = None if every_s is None else max(CYCLES * every_s, CYCLES_MIN_S)
        self._after_s = cycles_s if entry.stale_after_s is None else entry.stale_after_s
        self._rules = entry.tags if any(rule.stale_after_s is not None for rule in entry.tags) else ()
        self._types = plant.type_names
        self._heard: dict[Path, int | None] = {}
        """Machine → µs of its newest value; None: none yet."""
        self._groups: dict[tuple[Path, str], int | None] = {}
        """(machine, pattern of a rule that watches) → the same of those tags."""
        self.after_s: dict[tuple[Path, str], float] = {}
        """(machine, pattern or `MACHINE`) → how long it may be quiet, in seconds."""
        self._group_of: dict[tuple[Path, str], tuple[Path, str] | None] = {}
        self._since = 0
        for path in expected:
            self._expect(path)

    def opened(self, now: int) -> None:
        """The source is connected; what has not spoken yet has its time from here on. µs."""
        self._since = now

    def goes_on_from(self, before: "Freshness") -> None:
        """Takes over what another one heard, whose rules were others."""
        self._since = before._since
        for path, at in before._heard.items():
            if at is not None and self._expect(path):
                self._heard[path] = at
        self._groups |= {key: at for key, at in before._groups.items() if key in self._groups}

    def saw(self, batch: Batch, now: int) -> None:
        """Takes in what arrived at `now` (µs)."""
        fresh = [reading for reading in batch.readings if not reading.sample.quality >> 31]
        for path in {reading.path for reading in fresh} | {fact.path for fact in batch.facts}:
            if self._expect(path):
                self._heard[path] = now
        if self._rules:
            for reading in fresh:
                if (group := self._group(reading.path, reading.sample.tag)) is not None:
                    self._groups[group] = now

    def _expect(self, path: Path) -> bool:
        """Begins to watch a machine; False where the plant model has none such."""
        if path in self._heard:
            return True
        if path not in self._types:
            return False
        self._heard[path] = None
        if self._after_s is not None:
            self.after_s[path, MACHINE] = self._after_s
        for rule in self._rules:
            if rule.stale_after_s is not None and rule.fits(path, self._types[path]):
                self._groups.setdefault((path, rule.tag), None)
                self.after_s.setdefault((path, rule.tag), rule.stale_after_s)
        return True

    def _group(self, path: Path, tag: str) -> tuple[Path, str] | None:
        """The group that a tag belongs to, by the rule that is its own."""
        key = (path, tag)
        if key not in self._group_of:
            if len(self._group_of) >= TAGS_MAX:
                self._group_of.clear()
            rule = own_rule(self._rules, path, self._types.get(path), tag)
            group = None if rule is None else (path, rule.tag)
            self._group_of[key] = group if group in self._groups else None
        return self._group_of[key]

    def ages_s(self, now: int) -> Mapping[Path, float | None]:
        """Of each machine since its newest value; None: none yet."""
        return {path: None if at is None else (now - at) / 1e6 for path, at in list(self._heard.items())}

    def quiet(self, now: int) -> list[Quiet]:
        """What has been quiet for longer than it may. Ask while the source is connected."""
        ages = (
            Quiet(path, tags, (now - max(self._at(path, tags), self._since)) / 1e6, after_s)
            for (path, tags), after_s in list(self.after_s.items())
        )
        return [one for one in ages if one.age_s > one.after_s]

    def problems(self, now: int) -> list[str]:
        """One sentence for each, as long as they can be read."""
        quiet = self.quiet(now)
        more = [f"and {len(quiet) - TOLD_MAX} more are stale"] if len(quiet) > TOLD_MAX else []
        return [*map(str, quiet[:TOLD_MAX]), *more]

    def _at(self, path: Path, tags: str) -> int:
        return (self._groups[path, tags] if tags else self._heard[path]) or 0
