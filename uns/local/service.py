"""What every embedded service is: a child process on loopback with a folder of its own that one instance uses at a time."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

from uns.errors import ServiceError
from uns.runtime.child import Child
from uns.runtime.lock import FolderLock

Progress = Callable[[str], None]
"""Is told, a line at a time, what takes long or touches something outside the service's folder."""


class Service(ABC):
    """`start` returns the address once the service answered a probe; `stop` may be called at any time, from any thread.

    A second start in the same folder resumes its data.
    """

    name: ClassVar[str]
    start_timeout_s: ClassVar[float] = 60.0

    def __init__(self, folder: Path, port: int | None = None, progress: Progress = lambda line: None) -> None:
        """`port` None: a free one."""
        self.folder = folder.absolute()
        self.address = ""
        self.wanted_port, self.progress = port, progress
        self.child: Child | None = None
        self.lock: FolderLock | None = None
        self._stopped = threading.Event()

    def start(self) -> str:
        """Raises `ServiceError`; then nothing is left running."""
        self._stopped.clear()
        try:
            self.prepare()
            self.lock = FolderLock(self.folder)
            self.child = child = self.launch()
            if self._stopped.is_set():
                raise ServiceError(f"{self.name} was stopped while it started")
            self.wait(child)
        except BaseException:
            self.stop()
            raise
        return self.address

    def prepare(self) -> None:  # noqa: B027 (most have nothing to prepare)
        """Finds or fetches what the service needs, before its folder is touched. Raises `ServiceError`."""

    @abstractmethod
    def launch(self) -> Child:
        """Writes the configuration, sets `address` and starts the process. Raises `ServiceError`."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the service answers a probe now; never raises."""

    def wait(self, child: Child) -> None:
        """Returns once `ready`. Raises `ServiceError` with the last lines of the log."""
        deadline = time.monotonic() + self.start_timeout_s
        while not self.ready():
            if not child.alive or time.monotonic() > deadline:
                raise self.failure(child)
            time.sleep(0.03)

    def failure(self, child: Child, reason: str = "no answer in time") -> ServiceError:
        code = child.returncode
        what = f"did not become ready: {reason}" if code is None else f"ended with code {code} while it started"
        tail = "".join(f"\n  {line}" for line in child.tail(8))
        return ServiceError(f"{self.name} {what}. Its log is {child.log}; the last lines:{tail}")

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.alive

    def stop(self, deadline_s: float = 2.5) -> None:
        """The service's own stop signal, then SIGKILL after the deadline."""
        self._stopped.set()
        child, self.child = self.child, None
        if child is not None:
            child.stop(deadline_s)
        lock, self.lock = self.lock, None
        if lock is not None:
            lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
