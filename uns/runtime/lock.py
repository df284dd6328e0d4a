"""One running instance per data folder: a lock that the kernel frees when its owner, and the service itself, are gone."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

import psutil

from uns.errors import ServiceError


class FolderLock:
    """Held from construction to `release`. A lock left by a dead process is taken over.

    The service inherits `fileno`, so that the folder stays locked while an orphaned service still writes to it.
    """

    def __init__(self, folder: Path, orphan_s: float = 5.0) -> None:
        """Waits `orphan_s` for a service whose owner died. Raises `ServiceError` with the pid of a live owner."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (folder / "lock").open("a+", encoding="ascii")
        deadline = time.monotonic() + orphan_s
        while not self._acquire():
            self._file.seek(0)
            owner = self._file.read().strip()
            alive = owner.isdecimal() and psutil.pid_exists(int(owner))
            if alive or time.monotonic() > deadline:
                self._file.close()
                raise ServiceError(
                    f"{folder} is in use by another running instance (pid {owner or 'unknown'}"
                    f"{'' if alive else ', gone, but its service still runs'}). "
                    "Stop that one, or set UNS_STATE_DIR to another folder"
                )
            time.sleep(0.05)
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def _acquire(self) -> bool:
        # The kernel's lock, not the pid in the file, decides: a pid may belong to somebody else by now.
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def release(self) -> None:
        self._file.close()
