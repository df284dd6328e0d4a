"""How much slower than usual this machine is now: measured once a session, for deadlines that scale with it."""

import os
import subprocess
import sys
import time
from functools import cache

USUAL_S = 0.25
"""What a new Python process with the usual imports takes on an idle machine of two cores."""
SLOWNESS_MAX = 10.0


@cache
def slowness() -> float:
    """1 on an idle machine, at most `SLOWNESS_MAX`: by how much a process starts later, or how many wait for a core."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import asyncio, json, sqlite3, ssl"], check=True)
    measured = (time.perf_counter() - started) / USUAL_S
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(SLOWNESS_MAX, max(1.0, measured, waiting))


def patient(timeout_s: float) -> float:
    """A deadline for this machine, in seconds: `timeout_s` where it is idle, longer where it is not."""
    return timeout_s * slowness()
