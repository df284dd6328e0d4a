"""Part files: opened at the length that is known, appended to, made durable, and completed. Every call blocks."""

import os
from pathlib import Path

import structlog

from sinks.files import table
from sinks.files.manifest import Manifest, Part, sync_folder
from sinks.files.names import NUMBERED, PART

log = structlog.get_logger()


class OpenPart:
    """A part file that is being written. Raises `OSError` all over."""

    def __init__(self, folder: Path, part: Part) -> None:
        self.part, self._path = part, folder / f"{part.name}{PART}"
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            there = os.fstat(self._handle).st_size
            if there < part.length:
                log.error("a file is shorter than it was", file=str(self._path), bytes=there, were=part.length)
                raise FileNotFoundError(
                    f"{self._path} is shorter than what was written: {there} of {part.length} bytes"
                )
            os.truncate(self._handle, part.length)
            os.lseek(self._handle, part.length, os.SEEK_SET)
        except BaseException:
            os.close(self._handle)
            raise
        self._dirty = False

    def append(self, content: bytes, rows: int) -> None:
        left = memoryview(content)
        while left:
            left = left[os.write(self._handle, left) :]
        self.part.length += len(content)
        self.part.rows += rows
        self._dirty = True

    def sync(self) -> None:
        """What was appended is durable. Raises `OSError` where somebody has taken the file away meanwhile."""
        if not self._dirty:
            return
        os.fsync(self._handle)
        if os.fstat(self._handle).st_nlink == 0:
            raise FileNotFoundError(f"{self._path} was taken away while it was written")
        self._dirty = False

    def close(self) -> None:
        os.close(self._handle)


def create(folder: Path, part: Part, beginning: bytes) -> OpenPart:
    """A new one. Folders between are made, the uppermost is not."""
    path = folder / f"{part.name}{PART}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # an attempt that was never committed
    opened = OpenPart(folder, part)
    opened.append(beginning, 0)
    sync_folder(path.parent)
    return opened


def complete(folder: Path, part: Part) -> None:
    """Gives it its own name, so that whoever reads never sees half of it; to be repeated until it succeeds."""
    source, target = folder / f"{part.name}{PART}", folder / part.name
    if not source.exists():
        return  # it was done before a crash
    os.truncate(source, part.length)
    if part.format != "parquet":
        source.replace(target)
        sync_folder(target.parent)
        return
    made = folder / f"{part.name}.new"
    table.to_parquet(source, made)
    handle = os.open(made, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    made.replace(target)
    sync_folder(target.parent)
    source.unlink()
    sync_folder(target.parent)


def sweep(folder: Path, manifest: Manifest) -> None:
    """Takes away parts that were begun and never committed: ours, with numbers that no commit knows."""
    for file in folder.rglob(f"*{PART}"):
        found = NUMBERED.fullmatch(file.name)
        if found is not None and int(found[1]) > manifest.number:
            file.unlink(missing_ok=True)


def left_over(folder: Path) -> Path | None:
    """A file that a sink has made, growing or complete; None where there is none."""
    return next((file for file in folder.rglob("*") if NUMBERED.fullmatch(file.name)), None)


def tidied(folder: Path, manifest: Manifest) -> None:
    """Leaves only those parts that are there as they were known; one that somebody has taken away is named and forgotten."""
    kept = []
    for part in manifest.parts:
        path = folder / f"{part.name}{PART}"
        size = path.stat().st_size if path.exists() else -1
        if part.complete or size >= part.length:
            kept.append(part)
        else:
            log.error("a part file is gone or shorter; what was in it is lost", file=str(path), rows=part.rows)
    manifest.parts = kept
