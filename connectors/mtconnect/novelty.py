"""Which readings of a buffer that is read from its begin are news: those behind what is safe of their tag. Pure."""

from connectors.base import Reading, Resume, Safe
from topology.namespace.path import Path


class Novelty:
    """Lives until the buffer is read. The order of the readings decides where it can: a clock may have gone back."""

    def __init__(self, resume: Resume) -> None:
        self._safe: dict[tuple[Path, str], Safe] = dict(resume)
        """Of tags whose last safe value was not met yet."""
        self.newest = max(safe.at for safe in resume.values())
        """µs; `resume` is not empty."""

    def behind(self, at: int) -> bool:
        """Whether something that is no reading is news: what was read in front of the newest that is safe, is safe as well."""
        return at > self.newest

    def new(self, reading: Reading) -> bool:
        """Once what is safe of a tag was met, or something later than it, all that follows is new."""
        key, sample = (reading.path, reading.sample.tag), reading.sample
        safe = self._safe.get(key)
        if safe is None:
            return True
        if sample.at > safe.at:
            del self._safe[key]
            return True
        if sample.at == safe.at and (
            safe.quality is None or (safe.value, safe.quality) == (sample.value, sample.quality)
        ):
            del self._safe[key]
        return False
