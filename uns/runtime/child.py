"""A child process that writes to a log file, has its own session, and dies with its parent."""

import collections
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

# Runs before the program: gives up root where asked, then asks the kernel for its stop signal when the parent is gone.
# An exec'd guard rather than preexec_fn, which is unsafe in a process with threads.
_GUARD = """
import os, sys
parent, user, stop = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
prctl = None
if sys.platform == "linux":
    import ctypes
    prctl = ctypes.CDLL(None).prctl
if user:
    import pwd
    entry = pwd.getpwnam(user)
    os.setgroups([]); os.setgid(entry.pw_gid); os.setuid(entry.pw_uid)
if prctl:
    prctl(1, stop)  # after the change of user, which resets it
    if os.getppid() != parent: sys.exit(143)
try:
    os.execvp(sys.argv[4], sys.argv[4:])
except OSError as error:
    sys.exit(f"{sys.argv[4]}: {error.strerror}")
"""

LOG_MAX_BYTES = 10_000_000
"""A log this long is put aside when the next run begins; one older is kept."""


@cache
def _spawner() -> ThreadPoolExecutor:
    # The kernel's "parent" is the thread that forked: it must live as long as this process does.
    return ThreadPoolExecutor(1, thread_name_prefix="spawner")


class Child:
    """One running program. Its output, stdout and stderr, is appended to `log`."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        environ: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        keep_open: Sequence[int] = (),
    ) -> None:
        """`environ` is added to this process's. `user`: run as that system user (needs root). `keep_open`: file
        descriptors the child inherits. Raises `OSError`."""
        self.log, self._stop_signal = log, stop_signal
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
            log.replace(log.with_suffix(".1" + log.suffix))
        guarded = [
            sys.executable,
            "-I",
            "-S",
            "-c",
            _GUARD,
            str(os.getpid()),
            user or "",
            str(int(stop_signal)),
            *command,
        ]
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = (
                _spawner()
                .submit(
                    subprocess.Popen,
                    guarded,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(environ or {})},
                    start_new_session=True,  # a Ctrl-C at the terminal reaches the parent only, which stops all in order
                    pass_fds=tuple(keep_open),
                )
                .result()
            )
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    @property
    def alive(self) -> bool:
        return self.returncode is None

    def tail(self, lines: int = 10) -> list[str]:
        """The last lines of this run's output."""
        with self.log.open("rb") as output:
            output.seek(max(self._log_start, output.seek(0, os.SEEK_END) - 65536))
            text = output.read().decode(errors="replace")
        return list(collections.deque((line for line in text.splitlines() if line.strip()), lines))

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ask_to_stop(self) -> None:
        """Sends the stop signal and returns at once."""
        if self.alive:
            self._process.send_signal(self._stop_signal)

    def stop(self, deadline_s: float = 2.0) -> int:
        """Stop signal, then SIGKILL to the whole process group after the deadline. Returns the exit code."""
        self.ask_to_stop()
        try:
            self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL to the process and all it started."""
        if self.alive:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
