"""Writes rows to files and keeps how far it is beside them. Every call blocks; one thread uses it.

The order: rows, made durable; the manifest, which is the commit; then names of complete files. A crash before the commit
leaves bytes that the next opening cuts away, one behind it names that are given then.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from sinks.base import Delivery, Positions, Rejected, Retryable, Taken
from sinks.files import manifest as manifests
from sinks.files import parts, table
from sinks.files.changes import Added, Layout, added, layouts
from sinks.files.config import FilesSinkConfig
from sinks.files.lines import Unfit
from sinks.files.manifest import Damaged, Done, Manifest, Part, Place
from sinks.files.names import file_name
from sinks.files.parts import OpenPart

log = structlog.get_logger()

OPEN_MAX = 64
"""Part files at once; beyond, the one that began first is completed."""
DAY_S = 86_400.0
_HINTS = {
    errno.ENOENT: "is the folder there, and mounted?",
    errno.ENOSPC: "the disk is full: make room; nothing is lost meanwhile",
    errno.EDQUOT: "this user's share of the disk is full; nothing is lost meanwhile",
    errno.EROFS: "it only reads",
    errno.EACCES: "may this user write there?",
    errno.EPERM: "may this user write there?",
    errno.ENAMETOOLONG: "the name of a file is too long: shorten `name`",
    errno.EMFILE: "this process has too many files open",
    errno.ESTALE: "the server of this folder was started anew",
}


class Writer:
    """One folder. `open` before all the rest, and again after a `Retryable`."""

    def __init__(self, name: str, config: FilesSinkConfig, now: Callable[[], float] = time.time) -> None:
        self._name, self._config, self._now = name, config, now
        self._layouts: list[Layout] = []
        self._lock: int | None = None
        self._root: tuple[int, int] | None = None
        self._known: tuple[int, int] | None = None
        """The folder in which something was written."""
        self._manifest = Manifest()
        self._swept = False
        self._open: dict[str, OpenPart] = {}
        """Name of the file → its part."""

    # -- folder ------------------------------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self._config.folder / ".uns.json"

    def open(self) -> None:
        """Takes the folder, cuts away what was not committed, completes what was to be. Raises `Retryable`, `Taken`."""
        self.close()
        self._layouts = layouts(self._config)
        with self._troubles():
            if any(each.files.format == "parquet" for each in self._layouts):
                table.schema(())
            self._take()
            if not self._file.exists():
                self._begin()
            self._manifest = manifests.load(self._file)
            if self._manifest.sink not in ("", self._name):
                raise Retryable(f"sink {self._name}: the folder {self._config.folder} is that of sink {self._manifest.sink}; each needs one of its own")  # fmt: skip
            if not self._swept:
                parts.sweep(self._config.folder, self._manifest)
                self._swept = True
            parts.tidied(self._config.folder, self._manifest)
            self._retire()
            self.tend()

    def _begin(self) -> None:
        """A folder that has no manifest gets one, if it is empty of what a sink has made. Raises `Retryable`."""
        folder = self._config.folder
        if self._known not in (None, self._root):
            raise Retryable(f"sink {self._name}: {folder} is another folder than it was, and has nothing of ours; is the share mounted?")  # fmt: skip
        if (left := parts.left_over(folder)) is not None:
            raise Retryable(f"sink {self._name}: {left} is there, and {self._file.name}, which says how far the files reach, is not: restore it, or take the files away")  # fmt: skip
        manifests.store(self._file, Manifest(sink=self._name))

    def close(self) -> None:
        """What is committed stays, part files stay parts."""
        for each in self._open.values():
            each.close()
        self._open = {}
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _take(self) -> None:
        """The folder must be there: one that is not mounted would be filled instead."""
        lock = os.open(self._config.folder / ".uns.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise Taken(
                f"sink {self._name}: another instance, or another sink, writes to {self._config.folder}"
            ) from None
        except BaseException:
            os.close(lock)
            raise
        self._lock, self._root = lock, self._identity()

    def _identity(self) -> tuple[int, int]:
        found = self._config.folder.stat()
        return found.st_dev, found.st_ino

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        """What the folder refuses is waited for; whatever was half done is cut away at the next opening."""
        try:
            yield
        except OSError as error:
            self.close()
            hint = _HINTS.get(error.errno or 0)
            raise Retryable(f"sink {self._name}: {error.strerror or error}: {error.filename or self._config.folder}" + (f" ({hint})" if hint else "")) from error  # fmt: skip
        except Damaged as error:
            self.close()
            raise Retryable(f"sink {self._name}: {error}") from error
        except ImportError as error:
            self.close()
            raise Retryable(f"sink {self._name}: Parquet needs: pip install 'uns-backbone[parquet]'") from error
        except BaseException:
            self.close()
            raise

    def _opened(self) -> None:
        if self._lock is None:
            raise Retryable(f"sink {self._name}: the folder {self._config.folder} is not open")

    # -- positions ---------------------------------------------------------------------------------------------

    def positions(self) -> Positions:
        self._opened()
        return {(place.topic, place.partition): place.offset for place in self._manifest.places}

    def _place(self, topic: str, partition: int) -> Place:
        for place in self._manifest.places:
            if (place.topic, place.partition) == (topic, partition):
                return place
        place = Place(topic, partition, 0)
        self._manifest.places.append(place)
        return place

    def _is_new(self, delivery: Delivery) -> bool:
        topic, partition, offset = delivery.heard_at
        place = self._place(topic, partition)
        return offset >= place.offset and offset not in place.ahead

    def _move(self, written: Sequence[Delivery], rejected: Sequence[Rejected], positions: Positions) -> None:
        """Positions pass nothing that was rejected; what is written behind it is remembered."""
        for each in written:
            topic, partition, offset = each.heard_at
            self._place(topic, partition).ahead.append(offset)
        barred: dict[tuple[str, int], int] = {}
        for refusal in rejected:
            where = refusal.delivery.topic, refusal.delivery.partition
            barred[where] = min(refusal.delivery.offset, barred.get(where, refusal.delivery.offset))
        for (topic, partition), offset in positions.items():
            place = self._place(topic, partition)
            place.offset = max(place.offset, min(offset, barred.get((topic, partition), offset)))
        for place in self._manifest.places:
            place.ahead = [offset for offset in place.ahead if offset >= place.offset]

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, deliveries: Sequence[Delivery], positions: Positions) -> list[Rejected]:
        """All or nothing, but for what no file can hold. Raises `Retryable`."""
        self._opened()
        upload = self._config.upload
        if upload is not None and len(self._manifest.waiting) >= upload.waiting_max:
            raise Retryable(
                f"sink {self._name}: {len(self._manifest.waiting)} files wait for {upload.to}, which is away"
            )
        rows: list[Added] = []
        rejected: list[Rejected] = []
        written: list[Delivery] = []
        for delivery in deliveries:
            if self._is_new(delivery):
                try:
                    rows += added(self._layouts, delivery)
                    written.append(delivery)
                except Unfit as error:
                    rejected.append(Rejected(delivery, "unfit", str(error)))
        with self._troubles():
            self._append(rows)
            self._move(written, rejected, positions)
            self._commit()
            self.tend()
        return rejected

    def _append(self, rows: Sequence[Added]) -> None:
        """Rows of one file at once, as many as it takes."""
        grouped: dict[tuple[int, str], list[Any]] = {}
        for row in rows:
            grouped.setdefault((row.set, row.group), []).append(row.content)
        for (number, group), contents in grouped.items():
            layout, begin = self._layouts[number], 0
            while begin < len(contents):
                opened = self._part(layout, group)
                end = begin + max(1, layout.files.rows_max - opened.part.rows)
                batch = contents[begin:end]
                parquet = layout.files.format == "parquet"
                opened.append(table.batch(layout.columns, batch) if parquet else b"".join(batch), len(batch))
                begin = end
                if opened.part.rows >= layout.files.rows_max or opened.part.length >= layout.files.bytes_max:
                    opened.part.complete = True

    def _part(self, layout: Layout, group: str) -> OpenPart:
        """The file that takes the next rows of a group; a new one where the last is complete, or has other columns."""
        ending = layout.files.format
        for part in self._manifest.parts:
            if part.complete or (part.group, part.format) != (group, ending):
                continue
            if part.columns == layout.mark:
                return self._opened_part(part)
            part.complete = True
        growing = [part for part in self._manifest.parts if not part.complete]
        if len(growing) >= OPEN_MAX:
            min(growing, key=lambda part: part.begun_s).complete = True
        self._manifest.number += 1
        name = file_name(group, self._manifest.number, ending)
        keep_s = None if layout.files.keep_days is None else layout.files.keep_days * DAY_S
        part = Part(name, group, layout.mark, 0, 0, self._now(), ending, layout.files.every_s, keep_s)
        self._open[name] = parts.create(self._config.folder, part, layout.beginning())
        self._manifest.parts.append(part)
        return self._open[name]

    def _opened_part(self, part: Part) -> OpenPart:
        if part.name not in self._open:
            self._open[part.name] = OpenPart(self._config.folder, part)
        return self._open[part.name]

    def _commit(self) -> None:
        for each in self._open.values():
            each.sync()
        if self._identity() != self._root:
            raise FileNotFoundError(errno.ENOENT, "the folder is another one than it was", str(self._config.folder))
        manifests.store(self._file, self._manifest)
        self._known = self._root

    # -- completing --------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """Completes files whose time has come, and deletes those that were kept long enough. Raises `Retryable`."""
        self._opened()
        now = self._now()
        with self._troubles():
            for part in self._manifest.parts:
                if not part.complete and now - part.begun_s >= part.every_s:
                    part.complete = True
            due = [part for part in self._manifest.parts if part.complete]
            waiting = set(self._manifest.waiting)
            over = [done for done in self._manifest.done if now >= done.ends_s and done.name not in waiting]
            if not due and not over:
                return
            self._commit()
            for part in due:
                self._complete(part, now)
            for done in over:
                (self._config.folder / done.name).unlink(missing_ok=True)
                self._manifest.done.remove(done)
            self._commit()

    def waiting(self) -> str | None:
        """The complete file that is to be copied next."""
        self._opened()
        return next(iter(self._manifest.waiting), None)

    def copied(self, name: str) -> None:
        """It is where it was to be copied to; or gone, and cannot be. Raises `Retryable`."""
        self._opened()
        with self._troubles():
            self._manifest.waiting.remove(name)
            self._commit()

    def _complete(self, part: Part, now: float) -> None:
        if (opened := self._open.pop(part.name, None)) is not None:
            opened.close()
        parts.complete(self._config.folder, part)
        self._manifest.parts.remove(part)
        if self._config.upload is not None:
            self._manifest.waiting.append(part.name)
        if part.keep_s is not None:
            self._manifest.done.append(Done(part.name, now + part.keep_s))
        log.debug("file complete", sink=self._name, file=part.name, rows=part.rows)

    def _retire(self) -> None:
        """Parts of sets that the configuration does not have any more, or has otherwise, are completed."""
        marks = {layout.mark for layout in self._layouts}
        for part in self._manifest.parts:
            part.complete = part.complete or part.columns not in marks
