"""Who uses a data folder, and what may be said of it at the end of a run."""

import fcntl
from pathlib import Path

LOCKS = ("lock", "*/lock", "*/*/lock", "*/*/*/lock", "*/*/*/*/lock")
"""Where the locks of runs and services lie below a folder: the state folder holds those of demos, and they their services'."""


def in_use(folder: Path) -> bool:
    """Whether a run or a service holds the lock of this folder or of one below it, in this process or another."""
    for pattern in LOCKS:
        for lock in folder.glob(pattern):
            try:
                with lock.open("r", encoding="ascii") as file:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
    return False


def farewell(folder: Path, go_on: str) -> str:
    """What to do with the data of a run that has ended; how to delete it only where nothing runs on it any more."""
    lines = [f"data and logs: {folder}", f"  go on with it: {go_on}"]
    if not in_use(folder):
        lines.append(f"  delete it: rm -r {folder}")
    return "\n".join(lines)
