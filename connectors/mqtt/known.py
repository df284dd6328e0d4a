"""Which tags a device has told, so that all of them can be taken back when it is gone. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from connectors.base import Reading, Safe
from schemas.records import Sample, is_good
from topology.namespace.path import Path

NO_COMMUNICATION = 0x80310000
"""OPC UA's code for: the device does not answer. Sparkplug and Modbus say so of a death, too."""
TAGS_MAX = 100_000
"""Tags that are remembered: a source that invents tags must not fill the memory."""


class _Last(NamedTuple):
    at: int
    good: bool


class Known:
    """By path, the tags and what was said of each last."""

    def __init__(self) -> None:
        self._tags: dict[Path, dict[str, _Last]] = {}
        self._count = 0

    def begin(self, resume: Mapping[tuple[Path, str], Safe]) -> None:
        """Takes over what a run before has told."""
        for (path, tag), safe in resume.items():
            self._note(path, tag, _Last(safe.at, safe.quality is None or is_good(safe.quality)))

    def note(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            sample = reading.sample
            self._note(reading.path, sample.tag, _Last(sample.at, is_good(sample.quality)))

    def _note(self, path: Path, tag: str, last: _Last) -> None:
        tags = self._tags.setdefault(path, {})
        if tag not in tags:
            if self._count >= TAGS_MAX:
                return
            self._count += 1
        elif tags[tag].at > last.at:
            return
        tags[tag] = last

    def gone(self, path: Path, before: str | None, at: int) -> list[Reading]:
        """What it means that a device is away since `at` (µs): no value of it is known. `before`: what stands before its
        tags, where a path has several devices. What is known to be away is not said again.

        A device whose clock is ahead of ours has told later values: its end is then right behind the last of them.
        """
        said = []
        for tag, last in self._tags.get(path, {}).items():
            if last.good and (not before or tag == before or tag.startswith(f"{before}.")):
                said.append(Reading(path, Sample(tag, max(at, last.at + 1), None, NO_COMMUNICATION), "arrival"))
        self.note(said)
        return said
