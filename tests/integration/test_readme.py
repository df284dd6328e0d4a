"""Every command of the README is run as it stands there; only the port of the machine is a free one."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from asyncua import Server, ua

from tests.harness import eventually
from uns.runtime.ports import free_port
from uns.testing.patience import patient

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
MAKE = [line for block in BLOCKS for line in block.splitlines() if line.startswith("make ")]
CHAPTER = {number: README.partition(f"## {number}.")[2].partition(f"## {number + 1}.")[0] for number in (1, 2)}


def commands(chapter: int) -> list[str]:
    """`uns …` lines of a chapter, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", CHAPTER[chapter], flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("uns ")]


def environment(folder: Path) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("UNS_", "PYTEST_"))}
    return {
        **given,
        "UNS_STATE_DIR": str(folder / "state"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def run(command: str, folder: Path) -> str:
    """What one command prints. It must succeed."""
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


@contextmanager
def running(command: str, folder: Path, until: str) -> Iterator[Path]:
    """A command that goes on until Ctrl-C; it must then end by itself and leave no process."""
    output = folder / "output"
    with output.open("w") as sink:
        process = subprocess.Popen(
            command.split(), cwd=folder, env=environment(folder), stdout=sink, stderr=subprocess.STDOUT
        )
        try:
            eventually(lambda: until in output.read_text() or process.poll() is not None, timeout_s=90)
            assert process.poll() is None, output.read_text()
            yield output
            process.send_signal(signal.SIGINT)
            process.wait(timeout=patient(20))
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in output.read_text()
    assert "rm -r" in output.read_text()
    eventually(lambda: not left_over(folder), timeout_s=10)


def left_over(folder: Path) -> list[str]:
    """Processes that work in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in told:
                found.append(entry.name)
    return found


def test_the_make_commands_are_in_the_makefile() -> None:
    programs = {
        "make demo": "uns demo",
        'make demo ARGS="--for 90s --summary summary.json --chaos"': "uns demo",
        "make test": "pytest",
        'make torture ARGS="--kills 200 --seed 1"': "tests.torture --kills 200",
    }
    assert list(programs) == MAKE
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not here")
    for command in MAKE:
        printed = subprocess.run(
            f"{command} --dry-run", shell=True, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert programs[command] in printed


@pytest.mark.timeout(240)
def test_chapter_one(tmp_path: Path) -> None:
    assert len(commands(1)) == 4
    with running("uns demo", tmp_path, until="the page:"):
        eventually(lambda: "filler" in run("uns tree", tmp_path), timeout_s=30)
        eventually(
            lambda: (
                "stop" in run("uns tail # --class downtime --from beginning --no-follow".replace("#", "'#'"), tmp_path)
            ),
            timeout_s=60,
        )
        printed = {command: run(command, tmp_path) for command in commands(1)}
    tree, get, tail, ledger = printed.values()
    assert all(name in tree for name in ("acme", "leipzig", "line-2", "packer"))
    assert "state" in get
    assert "downtime" in tail
    assert ledger.count("read ") == 3
    assert "LOST" not in ledger


@pytest.fixture
def machine() -> Iterator[int]:
    """Somebody's OPC UA server: one object, a counter and a temperature."""
    port, ready, stop = free_port(), threading.Event(), threading.Event()

    async def serve() -> None:
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await server.register_namespace("urn:machine")
        press = await server.nodes.objects.add_object(2, "Press")
        parts = await press.add_variable(2, "Parts", 0)
        await press.add_variable(2, "Temperature", 21.5)
        async with server:
            ready.set()
            number = 0
            while not stop.is_set():
                number += 1
                await parts.write_value(number)
                await asyncio.sleep(0.2)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield port
    stop.set()
    thread.join(10)


@pytest.mark.timeout(240)
def test_chapter_two(tmp_path: Path, machine: int) -> None:
    init, lint, up, tail, tree = (command.replace("4840", str(machine)) for command in commands(2))
    assert "wrote" in run(init, tmp_path)
    assert "no problems" in run(lint, tmp_path)
    with running(up, tmp_path, until="parts started"):
        values = run(tail, tmp_path)
        assert "Press.Parts=" in values
        assert "my-company/my-site/my-area/line-1/machine-1" in values
        eventually(lambda: "Press.Temperature" in run(tree, tmp_path), timeout_s=40)
