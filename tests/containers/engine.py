"""A Docker engine for the tests: the one that answers here, else one of our own, where root and dockerd allow it."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.harness import containers
from tests.harness.waiting import until

COMPOSE_VERSION = "v2.40.3"
COMPOSE = f"github.com/docker/compose/v2@{COMPOSE_VERSION}"
STOP_S = 60.0


class Unavailable(Exception):
    """What this machine lacks, and what would help."""


def command(
    *words: str | Path, env: Mapping[str, str] | None = None, stdin: str | None = None, timeout_s: float = 900.0
) -> str:
    """What a command prints. Raises AssertionError with the end of all that it said when it fails."""
    done = subprocess.run(
        list(map(str, words)),
        env={**os.environ, **(env or {})},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, (
        f"{' '.join(map(str, words))}: {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}"
    )
    return done.stdout


@contextmanager
def engine(folder: Path) -> Iterator[str]:
    """The address of an engine, as DOCKER_HOST takes it. Raises `Unavailable`."""
    if shutil.which("docker") is None:
        raise Unavailable("no docker command: apt-get install docker.io")
    if containers.available():
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise Unavailable(
            "no Docker engine answers, and none can be started here: that takes root, and dockerd (docker.io)"
        )
    with ExitStack() as stack:
        for driver in ((), ("--storage-driver", "vfs")):  # where nothing can be laid over, whole copies
            if (address := _started(folder, driver, stack)) is not None:
                yield address
                return
    raise Unavailable(f"dockerd does not start: {(folder / 'dockerd.log').read_text(encoding='utf-8')[-1000:]}")


def _started(folder: Path, driver: tuple[str, ...], stack: ExitStack) -> str | None:
    """Its address; None when it ends by itself. Ended, and its data removed, with the stack."""
    address = f"unix://{folder}/docker.sock"
    options: tuple[str | Path, ...] = ("--pidfile", folder / "docker.pid", *driver)
    with (folder / "dockerd.log").open("ab") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--data-root", folder / "root", "--exec-root", folder / "exec", "--host", address, *options],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def answers() -> bool:
        done = subprocess.run(["docker", "--host", address, "version"], capture_output=True)
        return done.returncode == 0 or daemon.poll() is not None

    def end() -> None:
        daemon.terminate()
        daemon.wait(STOP_S)
        for line in reversed(Path("/proc/mounts").read_text(encoding="utf-8").splitlines()):
            if (mounted := line.split()[1]).startswith(f"{folder}/"):
                subprocess.run(["umount", "--lazy", mounted], check=False)
        shutil.rmtree(folder / "root", ignore_errors=True)

    stack.callback(end)
    until(answers, 60.0, lambda: "dockerd")
    return address if daemon.poll() is None else None


def compose(folder: Path) -> list[str | Path]:
    """The command of Docker Compose 2: a plugin, a program, else built from Go's module proxy. Raises `Unavailable`."""
    for words in ([*os.environ.get("UNS_COMPOSE", "").split()], ["docker", "compose"], ["docker-compose"]):
        if words and shutil.which(words[0]):
            done = subprocess.run([*words, "version", "--short"], capture_output=True, text=True)
            if done.returncode == 0 and int(done.stdout.lstrip("v").split(".")[0]) >= 2:
                return [*words]
    if shutil.which("go") is None:
        raise Unavailable("no Docker Compose 2 (UNS_COMPOSE names one), and no Go to build it")
    program, source = folder / "docker-compose", folder / "compose-source"
    if not program.exists():
        command("go", "mod", "download", COMPOSE)
        shutil.copytree(Path(command("go", "env", "GOMODCACHE").strip()) / COMPOSE, source)
        command("chmod", "-R", "u+w", source)
        stamp = f"-s -w -X github.com/docker/compose/v2/internal.Version={COMPOSE_VERSION}"
        command("go", "build", "-C", source, "-mod=mod", "-ldflags", stamp, "-o", program, "./cmd", timeout_s=3000)
    return [program]
