"""Children that really run, end, are killed and outlive nobody."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness import eventually
from uns.runtime import supervisor
from uns.runtime.child import Child
from uns.runtime.supervisor import PartState, Status, Supervisor

FOREVER = "import time; print('up', flush=True); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.fixture
def ends() -> list[tuple[Status, list[str]]]:
    return []


@pytest.fixture
def watched(tmp_path: Path, ends: list[tuple[Status, list[str]]]) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "logs", on_end=lambda status, tail: ends.append((status, tail)))
    yield made
    made.stop()


def one(watched: Supervisor) -> Status:
    (status,) = watched.status()
    return status


def test_a_killed_child_is_started_again(watched: Supervisor, ends: list[tuple[Status, list[str]]]) -> None:
    watched.add("connector", python(FOREVER), {"UNS_X": "1"})
    watched.start()
    eventually(lambda: watched.tail("connector") == ["connector | up"])
    before = one(watched)
    assert before.state is PartState.RUNNING
    assert before.pid is not None
    assert watched.kill("connector") == before.pid
    after = eventually(lambda: one(watched) if one(watched).restarts == 1 else None)
    assert after is not None
    assert (after.state, after.exit_code) == (PartState.RUNNING, -signal.SIGKILL)
    assert after.pid not in (None, before.pid)
    assert not psutil.pid_exists(before.pid)
    (status, tail) = ends[0]
    assert (status.state, tail) == (PartState.WAITING, ["connector | up"])


def test_restarts_have_a_ceiling(
    watched: Supervisor, ends: list[tuple[Status, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "CEILING", (3, 300.0))
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.01, 0.04))
    watched.add("sick", python("import sys; print('no route to the PLC'); sys.exit(3)"))
    watched.add("well", python(FOREVER))
    watched.start()
    eventually(lambda: watched.status()[0].state is PartState.GAVE_UP)
    sick, well = watched.status()
    assert (sick.restarts, sick.exit_code, sick.pid) == (3, 3, None)
    assert well.state is PartState.RUNNING  # the rest goes on
    assert eventually(lambda: len(ends) == 4)  # the first run and three restarts
    assert ends[-1][1] == ["sick | no route to the PLC"]
    assert sick.log.read_text() == "no route to the PLC\n" * 4


def test_a_program_that_is_not_there(watched: Supervisor, ends: list[tuple[Status, list[str]]]) -> None:
    watched.add("absent", ["/nonexistent/program"])
    watched.start()
    eventually(lambda: bool(ends))
    assert ends[0][1] == ["absent | /nonexistent/program: No such file or directory"]


def test_stop_ends_the_deaf_and_their_children(watched: Supervisor, tmp_path: Path) -> None:
    pid_file = tmp_path / "grandchild"
    spawn = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); open({str(pid_file)!r}, 'w').write(str(p.pid)); "
    watched.add("deaf", python(spawn + DEAF))
    watched.add("well", python(FOREVER))
    watched.start()
    eventually(lambda: watched.tail("deaf") and watched.tail("well"))
    pids = [status.pid for status in watched.status()] + [int(pid_file.read_text())]
    watched.stop(deadline_s=0.2)
    assert [status.state for status in watched.status()] == [PartState.STOPPED, PartState.STOPPED]
    assert [status.exit_code for status in watched.status()] == [-signal.SIGKILL, -signal.SIGTERM]
    eventually(lambda: not any(_runs(pid) for pid in pids if pid))
    watched.stop()


def test_stop_may_be_called_from_the_callback(tmp_path: Path) -> None:
    done = threading.Event()

    def on_end(status: Status, tail: list[str]) -> None:
        made.stop()
        done.set()

    made = Supervisor(tmp_path, on_end)
    made.add("short", python("pass"))
    made.start()
    assert done.wait(20)
    assert one(made).state is PartState.STOPPED


def test_children_die_with_their_parent(tmp_path: Path) -> None:
    """Also when a thread that is gone started them, and the parent is killed and can do nothing."""
    program = f"""
import pathlib, sys, threading, time
from uns.runtime.child import Child
def go():
    child = Child([sys.executable, "-c", "import time; time.sleep(600)"], pathlib.Path({str(tmp_path / "log")!r}))
    print(child.pid, flush=True)
thread = threading.Thread(target=go); thread.start(); thread.join()
time.sleep(600)
"""
    parent = subprocess.Popen(python(program), stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert _runs(pid)
    assert os.getpgid(pid) != os.getpgid(parent.pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not _runs(pid))


def test_a_long_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uns.runtime.child.LOG_MAX_BYTES", 4)
    log = tmp_path / "part.log"
    for text in ("first", "second", "third"):
        child = Child(python(f"print({text!r})"), log)
        assert eventually(lambda child=child: child.returncode == 0)  # type: ignore[misc]
        assert child.tail() == [text]
    assert (log.read_text(), (tmp_path / "part.1.log").read_text()) == ("third\n", "second\n")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
