"""The files connector: looks at a folder, reads what is new in it, and says with it how far that reaches."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Final

import structlog

from connectors.base import Batch, Position, Resume, SourceUnavailable
from connectors.files.codec import BadHeader
from connectors.files.config import FilesConfig, FileSet
from connectors.files.folder import Folder, LocalFolder, OpenFile
from connectors.files.known import KnownFile, KnownFiles
from connectors.files.sftp import SftpFolder
from connectors.files.tail import steps
from connectors.files.whole import whole_steps

log = structlog.get_logger()

PROBE_S = 3.0
"""How often the folder is asked whether it is there."""
HEALTHY_S = 10.0
"""A folder that has not answered for so long is not healthy."""


_OVER: Final = False
"""That a round of reading is over."""


class FilesConnector:
    """Each row once: how far each file is read is kept with its rows, and a death comes before both or behind both."""

    def __init__(self, name: str, config: FilesConfig) -> None:
        self._name, self._config = name, config
        self._folder: Folder = SftpFolder(config) if config.remote else LocalFolder(config.folder, config.timeout_s)
        self._cursor: Mapping[str, Position] = {}
        self._known: KnownFiles | None = None
        self._answered = 0.0
        self._probing: asyncio.Task[None] | None = None
        self._away: SourceUnavailable | None = None
        self._news = asyncio.Event()

    def resume_at(self, cursor: Mapping[str, Position]) -> None:
        """Takes in how far the spool reaches."""
        self._cursor = cursor

    async def open(self, resume: Resume) -> None:
        """Looks whether the folder is there. Where to read on says the cursor, not `resume`."""
        self._news, self._away = asyncio.Event(), None
        await self._folder.open()
        self._known = KnownFiles(self._config.files, self._cursor)
        self._answered = time.monotonic()
        self._probing = asyncio.create_task(self._probe())

    async def batches(self) -> AsyncIterator[Batch]:
        """Batches of rows: of each set the file that is longest unchanged, set by set in turn."""
        known = self._opened()
        try:
            while True:
                async with aclosing(self._look(known)) as batches:
                    async for batch in batches:
                        yield batch
                await self._pause()
        except SourceUnavailable as error:
            self._away = error
            raise

    async def _look(self, known: KnownFiles) -> AsyncGenerator[Batch, None]:
        """What is new by now; the folder is looked at again while there is more."""
        more = True
        while more:
            self._check()
            known.update(await self._folder.files(known.wanted), time.monotonic())
            self._answered, more = time.monotonic(), False
            rounds = [self._round(known, entry) for entry in known.entries]
            try:
                while rounds:
                    for one in tuple(rounds):
                        batch = await anext(one, _OVER)
                        if isinstance(batch, Batch):
                            yield batch
                            self._check()
                        elif batch is None:
                            more = True
                        else:
                            rounds.remove(one)
            finally:
                for one in rounds:
                    await one.aclose()

    async def _round(self, known: KnownFiles, entry: FileSet) -> AsyncGenerator[Batch | None, None]:
        """What is new in the files of a set, one after the other; None at last where there is more at once."""
        for file in known.due(entry, time.monotonic()):
            async with aclosing(self._visit(known, file)) as batches:
                async for batch in batches:
                    yield batch
            if file.more:
                yield None
                return

    async def _visit(self, known: KnownFiles, file: KnownFile) -> AsyncGenerator[Batch, None]:
        """What is new in a file. What is wrong with it is its own problem; a folder that does not answer is everybody's."""
        opened: OpenFile | None = None
        file.more = False
        try:
            opened = await self._folder.file(file.name)
            await known.recognise(file, opened, self._folder)
            if changes := known.changes():
                yield Batch(cursor=changes)
            reading = whole_steps(opened, file) if file.entry.whole else steps(opened, file, time.monotonic())
            async with aclosing(reading) as read:
                async for step in read:
                    self._answered = time.monotonic()
                    yield Batch.of(step.said, cursor=known.told(file))
            file.succeeded()
        except BadHeader as error:
            file.read, file.problem = file.latest, str(error)  # looked at again when it changes
        except (TimeoutError, ConnectionError) as error:
            words = str(error) or f"no answer within {self._config.timeout_s:g} s"
            raise SourceUnavailable(f"folder {self._config.folder} does not answer any more: {words}") from error
        except FileNotFoundError:
            log.info("file gone before it was read", connector=self._name, file=file.name)
        except OSError as error:
            file.failed(f"cannot be read: {error.strerror or error}")
        finally:
            if opened is not None:
                await opened.close()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.poll_s):
                await self._news.wait()

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(PROBE_S)
            try:
                await self._folder.probe()
            except SourceUnavailable as error:
                self._away = error
                self._news.set()
                return
            self._answered = time.monotonic()

    def _check(self) -> None:
        if self._away is not None:
            raise self._away

    def _silent(self) -> SourceUnavailable:
        return SourceUnavailable(f"folder {self._config.folder} does not answer within {self._config.timeout_s:g} s")

    def _opened(self) -> KnownFiles:
        if self._known is None:
            raise SourceUnavailable(f"folder {self._config.folder} is not open")
        return self._known

    async def close(self) -> None:
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()
        await self._folder.close()
        self._known = None

    def healthy(self) -> bool:
        return self._known is not None and self._away is None and time.monotonic() - self._answered < HEALTHY_S

    def problems(self) -> Sequence[str]:
        return [] if self._known is None else self._known.problems(time.monotonic())

    def kept(self) -> bool:
        """A folder keeps what is in it, and the cursor knows what of it was read."""
        return True

    def unproved_s(self) -> float:
        return time.monotonic() - self._answered
