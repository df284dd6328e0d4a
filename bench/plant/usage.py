"""CPU and memory of processes with all their children, as /proc has them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil


class Memory(NamedTuple):
    """In MB."""

    now: float
    """Proportional set size of all of them: what several share is counted once."""
    largest: float
    """VmHWM of the largest: the most that it ever had resident."""


def cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """Seconds of user and system up to now, by name; children that have ended included, once their parent knows."""
    return {name: sum(map(_cpu_s, _tree(pid))) for name, pid in pids.items()}


def memory(pids: Mapping[str, int]) -> dict[str, Memory]:
    found = {}
    for name, pid in pids.items():
        processes = list(_tree(pid))
        shares = [_kb(process.pid, "smaps_rollup", "Pss:") / 1024 for process in processes]
        peaks = [_kb(process.pid, "status", "VmHWM:") / 1024 for process in processes]
        found[name] = Memory(sum(shares), max(peaks, default=0.0))
    return found


def _tree(pid: int) -> Iterator[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        yield root
        yield from root.children(recursive=True)


def _cpu_s(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def _kb(pid: int, file: str, name: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text(encoding="ascii").splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
