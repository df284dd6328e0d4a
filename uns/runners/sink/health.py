"""What a sink says of itself: to metrics, and through a small file to who looks from beside."""

import os
from pathlib import Path

import msgspec

FOLDER, FILE = "sinks", "health.json"
SILENT_S = 30.0
"""A sink that runs says how it is every second; under load later."""


class SinkHealth(msgspec.Struct, frozen=True):
    """What a sink last said of itself; counts are since it began."""

    at: int
    """µs of its machine's clock."""
    problems: tuple[str, ...]
    """Why it is not ready; empty when it is."""
    written: int
    rejected: int
    """In quarantine by the target's word."""
    unreadable: int
    """In quarantine, for nobody could read them."""
    left_behind: int
    given_again: int
    retries: int
    held: int
    unclear: int
    """Requests whose outcome nobody knows yet."""
    lag: int | None
    """Records that the target does not have yet; None: not known yet."""
    oldest_age_s: float
    """Since the oldest of them came that was read; 0 where nothing waits."""

    def age_s(self, now_s: float) -> float:
        return now_s - self.at / 1e6

    def runs(self, now_s: float) -> bool:
        """Whether it has spoken lately, by the clock of its machine (seconds)."""
        return self.age_s(now_s) < SILENT_S


def write_health(folder: Path, health: SinkHealth) -> None:
    """Into a sink's folder; who reads sees the old one or the new one. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{FILE}.new"
    fresh.write_bytes(msgspec.json.encode(health))
    os.replace(fresh, folder / FILE)


def read_health(state_dir: Path) -> dict[str, SinkHealth | None]:
    """Of every sink that has run on this machine; None of one whose word cannot be read."""
    return {file.parent.name: _health(file) for file in sorted((state_dir / FOLDER).glob(f"*/{FILE}"))}


def _health(file: Path) -> SinkHealth | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=SinkHealth)
    except (OSError, msgspec.DecodeError):
        return None
