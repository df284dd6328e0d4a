"""Runs child processes crash-only: one that ends is started again, with back-off and a ceiling."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import structlog

from uns.runtime.child import Child

log = structlog.get_logger()

BACKOFF_S = (0.5, 30.0)
"""Wait before the first and the longest before any restart; it doubles in between."""
STEADY_S = 60.0
"""A child that ran this long starts again with the first wait."""
CEILING = (8, 120.0)
"""More restarts than this within so many seconds: the supervisor gives up. Who waits for a broker that is away lives
for some seconds each time, and is not given up."""


class PartState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    """It ended; a restart is due."""
    GAVE_UP = "gave up"
    STOPPED = "stopped"


class Status(NamedTuple):
    name: str
    state: PartState
    pid: int | None
    restarts: int
    uptime_s: float
    exit_code: int | None
    """Of its last end; negative: the signal that ended it."""
    log: Path


@dataclass
class _Part:
    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    child: Child | None = None
    state: PartState = PartState.WAITING
    exit_code: int | None = None
    restarts: int = 0
    due: float = 0.0
    wait_s: float = BACKOFF_S[0]
    recent: deque[float] = field(default_factory=deque)


class Supervisor:
    """`add` children, `start`, and `stop` them all. Each writes to `<logs>/<name>.log`, appended over restarts.

    `on_end` is told of every end that nobody asked for: the child's status after it and the last lines it wrote.
    """

    def __init__(self, logs: Path, on_end: Callable[[Status, list[str]], None] = lambda status, tail: None) -> None:
        self.logs = logs
        self._on_end = on_end
        self._parts: dict[str, _Part] = {}
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        """A child to run from now on (after `start`). `environ` is added to this process's."""
        with self._lock:
            if name in self._parts:
                raise ValueError(f"{name!r} is supervised already")
            self._parts[name] = _Part(name, tuple(command), dict(environ or {}), self.logs / f"{name}.log")
        self._wake.set()

    def start(self) -> None:
        """Starts the children, and goes on watching them from a daemon thread."""
        self._turn()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    def status(self) -> list[Status]:
        with self._lock:
            return [self._status(part) for part in self._parts.values()]

    def kill(self, name: str) -> int:
        """SIGKILL, for chaos: it is started again as after any crash. Returns the pid. KeyError if none runs."""
        with self._lock:
            child = self._parts[name].child
            if child is None or not child.alive:
                raise KeyError(f"{name} does not run")
            child.kill()
        self._wake.set()
        return child.pid

    def stop_one(self, name: str, deadline_s: float = 10.0) -> None:
        """SIGTERM to one child, SIGKILL after the deadline; it stays stopped. KeyError for a name that was never added."""
        with self._lock:
            part = self._parts[name]
            part.state = PartState.STOPPED
        if part.child is not None:
            part.exit_code = part.child.stop(deadline_s)

    def tail(self, name: str, lines: int = 10) -> list[str]:
        """The last lines of the child's current or last run, each prefixed with its name."""
        with self._lock:
            child = self._parts[name].child
        return [f"{name} | {line}" for line in child.tail(lines)] if child else []

    def stop(self, deadline_s: float = 2.0) -> None:
        """SIGTERM to all at once, SIGKILL to those still there after the deadline. Idempotent."""
        with self._lock:
            self._stopping = True
            children = [part.child for part in self._parts.values() if part.child]
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        deadline = time.monotonic() + deadline_s
        for child in children:
            child.ask_to_stop()
        for part in self._parts.values():
            if part.child is not None:
                part.exit_code = part.child.stop(max(0.0, deadline - time.monotonic()))
            if part.state is not PartState.GAVE_UP:
                part.state = PartState.STOPPED

    def __enter__(self) -> "Supervisor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _status(self, part: _Part) -> Status:
        running = part.state is PartState.RUNNING and part.child is not None
        return Status(
            part.name,
            part.state,
            part.child.pid if running and part.child else None,
            part.restarts,
            time.monotonic() - part.child.started if running and part.child else 0.0,
            part.exit_code,
            part.log,
        )

    def _watch(self) -> None:
        while not self._stopping:
            self._wake.wait(0.05)
            self._wake.clear()
            self._turn()

    def _turn(self) -> None:
        for part in list(self._parts.values()):
            ended: tuple[Status, list[str]] | None = None
            with self._lock:
                if self._stopping:
                    return
                if part.state is PartState.RUNNING and part.child is not None and not part.child.alive:
                    self._ended(part, part.child)
                    ended = self._status(part), self.tail(part.name)
                elif part.state is PartState.WAITING and time.monotonic() >= part.due:
                    self._launch(part)
            if ended is not None:
                self._on_end(*ended)

    def _launch(self, part: _Part) -> None:
        if part.exit_code is not None:
            part.restarts += 1
            part.recent.append(time.monotonic())
        part.child = Child(part.command, part.log, part.environ)
        part.state = PartState.RUNNING
        log.debug("child started", child=part.name, pid=part.child.pid, restarts=part.restarts)

    def _ended(self, part: _Part, child: Child) -> None:
        now = time.monotonic()
        part.exit_code = child.returncode
        if now - child.started >= STEADY_S:
            part.wait_s = BACKOFF_S[0]
        most, within_s = CEILING
        while part.recent and now - part.recent[0] > within_s:
            part.recent.popleft()
        if len(part.recent) >= most:
            part.state = PartState.GAVE_UP
            log.error(
                "child gave up", child=part.name, exit_code=part.exit_code, restarts=part.restarts, log=str(part.log)
            )
            return
        part.state, part.due = PartState.WAITING, now + part.wait_s
        log.warning("child ended", child=part.name, exit_code=part.exit_code, restart_in_s=part.wait_s)
        part.wait_s = min(2 * part.wait_s, BACKOFF_S[1])
