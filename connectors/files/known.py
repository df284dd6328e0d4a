"""The files of one folder: how far each is read, whether it is due, and whether one that is new was known by another name."""

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connectors.base import Position
from connectors.files.codec import TextDecoder, about
from connectors.files.config import FileSet, matcher
from connectors.files.folder import Folder, Listing, OpenFile, Seen
from connectors.files.place import PROOF_BYTES, Kept, Place, decode

RETRY_S = (5.0, 300.0)
"""A file that cannot be read is tried again so much later, twice as much each time."""
UNFINISHED_S = 60.0
"""A line without an end is a problem once nothing has come for so long."""
TOLD_MAX = 5
HOMELESS_MAX = 1_000
PLACES_MAX = 100_000
"""More are not kept: of files that are gone, those that were written to longest ago are forgotten first."""
NAME_MAX = 300
"""Characters of the name of a file, with its folders."""


@dataclass(eq=False)
class Content:
    """What was read of a file, whatever its name is by now."""

    called: str
    """The name under which it was last seen."""
    place: Place = field(default_factory=Place)
    """What was told reaches to here."""
    named: bool = True
    """Whether it still has that name; else another file has it now."""
    modified: int = 0
    """As its file was last seen."""
    number: int | None = None
    """By which the cursor knows it; None: nothing of it was told yet."""


@dataclass(eq=False)
class KnownFile:
    """One file, from the time on that it is looked at."""

    name: str
    entry: FileSet
    content: Content
    latest: Seen | None = None
    """As it is now; None: not there."""
    changed: float = 0.0
    """Monotonic time since when it is so."""
    read: Seen | None = None
    """As it was when all of it had been read."""
    decoder: TextDecoder | None = None
    problem: str | None = None
    unfinished: bool = False
    """Whether it ends inside of a line."""
    zeros_since: float | None = None
    """Monotonic time since when zero bytes are in the way."""
    more: bool = False
    """Whether there is more to read at once."""
    marked: bool = False
    """Whether its marker stands beside it."""
    _retry_at: float = 0.0
    _wait_s: float = RETRY_S[0]

    @property
    def place(self) -> Place:
        return self.content.place

    def due(self, now: float) -> bool:
        """Whether there may be something to read, and it may be read."""
        if self.latest is None or self.latest == self.read or now < self._retry_at:
            return False
        return self.entry.rule == "growing" or self.whole(now)

    def whole(self, now: float) -> bool:
        """Whether nothing will be written to it any more, by the rule of its options."""
        match self.entry.rule:
            case "settled":
                return now - self.changed >= self.entry.settle_s
            case "marker":
                return self.marked
            case _:
                return False

    def failed(self, words: str) -> None:
        """It cannot be read now, and is tried again later."""
        self.problem = words
        self._retry_at = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, RETRY_S[1])

    def succeeded(self) -> None:
        self.problem, self._retry_at, self._wait_s = None, 0.0, RETRY_S[0]

    def restart(self) -> Content:
        """Another file has its name now, or it was written anew. What it was before."""
        before, self.content, self.decoder = self.content, Content(self.name), None
        return before


class KnownFiles:
    """Which set a name belongs to (the first that matches), and all that is known of files."""

    def __init__(self, entries: Iterable[FileSet], cursor: Mapping[str, Position]) -> None:
        self.entries = tuple(entries)
        self._matchers = [matcher(entry.pattern) for entry in self.entries]
        self._absent: dict[str, Content] = {}
        """By name, of files that are not there, or have not been seen yet in this run."""
        self._homeless: deque[Content] = deque()
        """Of files that have another name by now, or none; the newest."""
        self._numbers = 0
        """The greatest that was given to a content."""
        self._changes: dict[str, Position | None] = {}
        """Of the cursor, beside what rows bring."""
        for content in _contents(cursor):
            self._numbers = content.number or 0
            if (before := self._absent.pop(content.called, None)) is not None:
                self._lose_name(before)
            self._absent[content.called] = content
        self._files: dict[str, KnownFile] = {}
        self._problems: tuple[str, ...] = ()

    def wanted(self, name: str) -> bool:
        """Whether a listing should have a name."""
        return self._entry(name) is not None or any(
            entry.rule == "marker" and name.endswith(entry.marker) for entry in self.entries
        )

    def _entry(self, name: str) -> FileSet | None:
        for entry, pattern in zip(self.entries, self._matchers, strict=True):
            if pattern.fullmatch(name):
                # Excel's own mark of a workbook that is open
                return None if entry.format == "excel" and name.rpartition("/")[2].startswith("~$") else entry
        return None

    def update(self, listing: Listing, now: float) -> None:
        """Takes in what is there now."""
        unsendable = 0
        for name, seen in listing.files.items():
            if (entry := self._entry(name)) is None:
                continue
            if not _sendable(name):
                unsendable += 1
                continue
            file = self._files.get(name)
            if file is None:
                file = self._files[name] = KnownFile(name, entry, self._absent.pop(name, Content(name)))
            if file.latest != seen:
                file.latest, file.changed = seen, now
            file.marked = name + entry.marker in listing.files
        for name in self._files.keys() - listing.files.keys():
            content = self._files.pop(name).content
            if content.place.offset:  # it may come back, or under another name
                self._absent[name] = content
        self._problems = listing.problems
        if unsendable:
            self._problems += (
                f"{unsendable} files have names that cannot be told (no Unicode, or too long); they are not read",
            )
        surplus = len(self._files) + len(self._absent) - PLACES_MAX
        if surplus > 0:
            for content in sorted(self._absent.values(), key=lambda content: content.modified)[:surplus]:
                self._forget(self._absent.pop(content.called))

    def due(self, entry: FileSet, now: float) -> list[KnownFile]:
        """Files of a set that are to be read, the longest unchanged first."""
        files = [file for file in self._files.values() if file.entry is entry and file.due(now)]
        return sorted(files, key=lambda file: (file.latest.modified if file.latest else 0, file.name))

    def told(self, file: KnownFile) -> dict[str, Position | None]:
        """The cursor behind what was just told of a file."""
        assert file.latest is not None
        file.content.modified = file.latest.modified
        return self.changes() | self._place_of(file.content)

    def changes(self) -> dict[str, Position | None]:
        """What of the cursor has changed since this was last asked, beside what rows bring."""
        changes, self._changes = self._changes, {}
        return changes

    def _place_of(self, content: Content) -> dict[str, Position | None]:
        if content.number is None:
            content.number = self._numbers = self._numbers + 1
        return {str(content.number): Kept(content.called, content.modified, content.place).encode()}

    def _forget(self, content: Content) -> None:
        if content.number is not None:
            self._changes[str(content.number)] = None

    def _lose_name(self, content: Content) -> None:
        """Another file has its name now."""
        content.named = False
        self._homeless.append(content)
        if len(self._homeless) > HOMELESS_MAX:
            self._forget(self._homeless.popleft())

    async def recognise(self, file: KnownFile, open_file: OpenFile, folder: Folder) -> None:
        """Sees whether a file is still what was read of it; and of one that is not, what it was called before it was renamed,
        as logs are that rotate: then it is read on from there. Raises `OSError`.
        """
        if file.entry.whole:
            return
        if file.place.offset:
            if await holds(open_file, file.place):
                return
            self._lose_name(file.restart())
        size, head = await open_file.size(), await open_file.read(0, PROOF_BYTES)
        for content in self._candidates(file):
            place = content.place
            if (
                0 < place.offset <= size
                and place.begins(head)
                and _says_the_same(file.entry, content.called, file.name)
                and await holds(open_file, place)
                and not await _still_there(folder, content)
            ):
                self._move(content, file)
                return

    def _candidates(self, new: KnownFile) -> list[Content]:
        """Of files that are gone, and of names that may be another file's now."""
        renamed = (file.content for file in self._files.values() if file is not new and file.latest != file.read)
        return [*self._absent.values(), *self._homeless, *renamed]

    def _move(self, content: Content, file: KnownFile) -> None:
        if content.named:
            self._absent.pop(content.called, None)
        for other in self._files.values():
            if other.content is content:
                other.restart()
        if content in self._homeless:
            self._homeless.remove(content)
        content.called, content.named, file.content = file.name, True, content
        if content.number is not None:
            self._changes |= self._place_of(content)

    def problems(self, now: float) -> list[str]:
        """Files that are not read, or not to their end."""
        told = [f"file {file.name}: {file.problem}" for file in self._files.values() if file.problem]
        told += [
            f"file {file.name}: its last line has no end, and nothing has come for {UNFINISHED_S:g} s; it is read when it "
            "ends (`complete: settled` reads it without)"
            for file in self._files.values()
            if file.unfinished and not file.problem and now - file.changed > UNFINISHED_S
        ]
        told += [
            f"file {file.name}: zero bytes are in the way from byte {file.place.offset} on: a copy that was given up?"
            for file in self._files.values()
            if file.zeros_since is not None and now - file.changed > UNFINISHED_S
        ]
        more = [f"and {len(told) - TOLD_MAX} more files"] if len(told) > TOLD_MAX else []
        return [*self._problems, *told[:TOLD_MAX], *more]


def _contents(cursor: Mapping[str, Position]) -> list[Content]:
    """In the order in which they were first told."""
    contents = []
    for name, value in cursor.items():
        kept = decode(value, Kept) if isinstance(value, bytes) else None
        if kept is not None and name.isdecimal():
            contents.append(Content(kept.called, kept.place, modified=kept.modified, number=int(name)))
    return sorted(contents, key=lambda content: content.number or 0)


async def holds(file: OpenFile, place: Place) -> bool:
    """Whether a place is one of this file. Raises `OSError`."""
    size, head = await file.size(), await file.read(0, place.head_bytes)
    if size < place.offset or not place.begins(head):
        return False
    return place.ends(await file.read(place.offset - place.tail_bytes, place.tail_bytes) if place.tail_bytes else b"")


async def _still_there(folder: Folder, content: Content) -> bool:
    """Whether a file of its name is what was read: then a file that is like it is a copy, and not itself."""
    if not content.named:
        return False
    try:
        file = await folder.file(content.called)
    except FileNotFoundError:
        return False
    try:
        return await holds(file, content.place)
    finally:
        await file.close()


def _says_the_same(entry: FileSet, name: str, other: str) -> bool:
    """Whether rows of a file mean the same under another name: not where paths or tags are made of it."""
    return all(about(name)[part] == about(other)[part] for part in entry.columns_named & {"file", "folder"})


def _sendable(name: str) -> bool:
    return name.isprintable() and len(name) <= NAME_MAX
