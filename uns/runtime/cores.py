"""How many cores the machine gives this process: its CPU affinity, and the quota of its control group (containers)."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cores(cgroup: Path = CGROUP) -> int:
    """Whole cores, at least one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, count if quota is None else min(count, int(quota)))


def _quota(cgroup: Path) -> float | None:
    """Cores of CPU time that the group may use; None: no limit, or none that can be read. Version 2, else 1."""
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass
    try:
        limit, span = (
            int((cgroup / "cpu" / name).read_text(encoding="ascii"))
            for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        )
        return limit / span if limit > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
