"""Workers as processes that can be killed, stopped and asked: the test's side of `tests.torture.parent`."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil

from tests.harness.waiting import eventually
from tests.torture.points import Plan, Point

ROOT = Path(__file__).parents[2]
START_S = 60.0
END_S = 60.0
AT_ANY_TIME = Plan(Point.RANDOM)


class Worker:
    """One `uns run processors`. Its exit code is negative for the signal that ended it."""

    def __init__(self, parent: "Parent", name: str, log: Path) -> None:
        self.name, self.log = name, log
        self.begun = time.monotonic()
        self.ended_at = 0.0
        self._parent = parent
        self._pid = 0
        self._code: int | None = None
        self.started, self.over = threading.Event(), threading.Event()

    def send(self, number: signal.Signals) -> None:
        self._parent.tell({"do": "signal", "pid": self.pid, "number": int(number)})

    @property
    def pid(self) -> int:
        if not self.started.wait(START_S):
            raise AssertionError(f"{self.name} did not start")
        return self._pid

    @property
    def running(self) -> bool:
        return not self.over.is_set()

    def stopped(self) -> bool:
        """Whether SIGSTOP holds it."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    @property
    def code(self) -> int | None:
        return self._code

    def ended(self, deadline_s: float = END_S) -> int:
        """Its exit code, once it has ended."""
        if not self.over.wait(deadline_s):
            raise AssertionError(f"{self.name} has not ended within {deadline_s:g} s; its log ends:\n{self.tail()}")
        assert self._code is not None
        return self._code

    def kill(self) -> int:
        self.send(signal.SIGKILL)
        return self.ended()

    def stop(self) -> int:
        """SIGTERM: it commits what it has folded and leaves the group."""
        self.send(signal.SIGTERM)
        return self.ended()

    def text(self) -> str:
        """What it has logged."""
        if not self.log.exists():
            return ""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines: int = 12) -> str:
        return "\n".join(self.text().splitlines()[-lines:])

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]

    def said(self, words: str, deadline_s: float = 60.0) -> None:
        """Waits until its log has the words."""
        eventually(lambda: words in self.text(), deadline_s, what=f"{self.name} says {words!r}:\n{self.tail()}")

    def restored(self, deadline_s: float = 60.0) -> dict[str, Any]:
        """Waits until it has restored what it was given; the log line."""

        def report() -> dict[str, Any] | None:
            if not self.running:
                raise RuntimeError(f"{self.name} ended with {self.code}:\n{self.tail()}")
            return next((x for x in reversed(self.lines()) if x.get("event") == "partitions restored"), None)

        line = eventually(report, deadline_s, what=f"{self.name} restored")
        assert line is not None
        return line

    def metrics(self) -> str:
        """Its /metrics page."""
        address = next(line["metrics"] for line in self.lines() if line.get("event") == "processors run")
        return str(httpx2.get(address, timeout=10).text)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = (line for line in self.metrics().splitlines() if line.startswith((name + " ", name + "{")))
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def _set(self, pid: int) -> None:
        self._pid = pid
        self.started.set()

    def _end(self, code: int) -> None:
        self._code, self.ended_at = code, time.monotonic()
        self.over.set()


class Parent:
    """Starts workers. With `prefix` it and they run under another command, such as `ip netns exec NAME`."""

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.torture.parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, Worker] = {}
        self._workers: dict[int, Worker] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, name: str, argv: Sequence[str], environ: Mapping[str, str], log: Path, plan: Plan) -> Worker:
        worker = Worker(self, name, log)
        number = next(self._numbers)
        self._waiting[number] = worker
        command = {"do": "start", "id": number, "argv": list(argv), "environ": dict(environ), "log": str(log)}
        self.tell(command | {"plan": list(plan)})
        return worker

    def tell(self, command: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "started" in said:
                worker = self._workers[said["pid"]] = self._waiting.pop(said["started"])
                worker._set(said["pid"])
            elif "ended" in said:
                self._workers.pop(said["ended"])._end(said["code"])

    def close(self) -> None:
        """Ends all workers that are left."""
        assert self._process.stdin is not None
        for worker in list(self._workers.values()):
            worker.send(signal.SIGKILL)
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
