"""What is true of the folder: how far the sink is, and how long each part file is then. One small file beside them, replaced
at once: it is the commit. What stands beyond it in a part was never written, and is cut away at the next opening.
"""

import os
from pathlib import Path

import msgspec


class Part(msgspec.Struct):
    """A file that is still growing."""

    name: str
    """Of the complete file, below the folder."""
    group: str
    """What its rows have in common: the name that its set's template makes."""
    columns: str
    """A mark of its columns and of how they are written: with others the next rows begin a new file."""
    length: int
    rows: int
    begun_s: float
    """When its first row came, seconds since 1970."""
    format: str
    every_s: float
    keep_s: float | None = None
    complete: bool = False
    """It gets no more rows: it is to have its own name."""


class Done(msgspec.Struct):
    """A complete file that is to be deleted one day."""

    name: str
    ends_s: float


class Place(msgspec.Struct):
    """How far the sink is in a partition."""

    topic: str
    partition: int
    offset: int
    ahead: list[int] = []
    """Offsets behind it that are in the files already, because one before them was rejected."""


class Manifest(msgspec.Struct):
    sink: str = ""
    """Whose folder it is."""
    places: list[Place] = []
    parts: list[Part] = []
    done: list[Done] = []
    number: int = 0
    """Of the newest file."""
    waiting: list[str] = []
    """Complete files that are to be copied to another machine, in their order."""


class Damaged(Exception):
    """It is there and cannot be read; says where."""


def load(file: Path) -> Manifest:
    """An empty one where there is none. Raises `OSError` and `Damaged`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except msgspec.DecodeError as error:
        raise Damaged(f"{file} cannot be read ({error}); it says how far the files reach: restore it, or take it and the files away") from None  # fmt: skip


def store(file: Path, manifest: Manifest) -> None:
    """Durable when it returns. Raises `OSError`."""
    new = file.with_name(f"{file.name}.new")
    with new.open("wb") as target:
        target.write(msgspec.json.encode(manifest))
        target.flush()
        os.fsync(target.fileno())
    new.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """New names in it are durable. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
