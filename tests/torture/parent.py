"""Parent of the workers: imports everything once and forks, so that a worker is running in milliseconds.

Reads one JSON command a line (`start`, `signal`), answers with one JSON line a start and an end. Ends when its input does,
and all workers with it. A worker is the command line's own `uns run processors`, in a process of its own.
"""

import ctypes
import faulthandler
import importlib
import json
import os
import pkgutil
import select
import signal
import sys
import traceback
from typing import Any, NoReturn

PRELOADED = (  # what `uns run processors` imports when it runs, and all commands
    "processors.line",
    "uns.client.connection",
    "uns.engine.service",
    "uns.model.plant",
    "uns.registry.client",
)
PR_SET_PDEATHSIG = 1


def main() -> None:
    commands = importlib.import_module("uns.cli")
    for name in (*PRELOADED, *(f"uns.cli.{module.name}" for module in pkgutil.iter_modules(commands.__path__))):
        importlib.import_module(name)
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    running: set[int] = set()
    _say({"ready": os.getpid()})
    buffer = b""
    while True:
        for source in select.select([0, wake], [], [])[0]:
            if source == wake:
                os.read(wake, 4096)
                continue
            data = os.read(0, 65536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                _do(json.loads(line), running)
        _reap(running)


def _do(command: dict[str, Any], running: set[int]) -> None:
    if command["do"] == "signal":
        if command["pid"] in running:
            os.kill(command["pid"], command["number"])
        return
    me = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become_worker(command, me)
    running.add(pid)
    _say({"started": command["id"], "pid": pid})


def _reap(running: set[int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        running.discard(pid)
        _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _become_worker(command: dict[str, Any], parent: int) -> NoReturn:
    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        faulthandler.register(signal.SIGUSR1)  # into its log: where it stands
        os.environ.clear()
        os.environ.update(command["environ"])
        sys.argv = ["uns", *command["argv"]]
        from tests.torture.points import Plan, Point, install

        point, *rest = command["plan"]
        install(Plan(Point(point), *rest))
        uns = importlib.import_module("uns.cli")
        uns.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _say(what: dict[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
