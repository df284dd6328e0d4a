"""What runs on this machine: where an embedded run (`uns demo`, `uns up`) tells commands in other terminals its addresses."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from uns.runtime.settings import Settings, from_environment, settings

FILE = "running.json"
"""In the state folder: the environment of the embedded services that run now, and the process that started them."""
BROKER = "UNS_BOOTSTRAP"


def announce(state_dir: Path, environ: dict[str, str]) -> None:
    """Writes down where the embedded services are, for commands in another terminal."""
    state_dir.mkdir(parents=True, exist_ok=True)
    draft = state_dir / f"{FILE}.{os.getpid()}"
    draft.write_text(json.dumps({"pid": os.getpid(), "environ": environ}), encoding="utf-8")
    draft.replace(state_dir / FILE)


def withdraw(state_dir: Path) -> None:
    """Removes this process's announcement."""
    if announced(state_dir, pid=os.getpid()) is not None:
        (state_dir / FILE).unlink(missing_ok=True)


def announced(state_dir: Path, pid: int | None = None) -> dict[str, str] | None:
    """The environment of the run that is announced there, of process `pid` if one is given; None when none is alive."""
    try:
        announcement = json.loads((state_dir / FILE).read_text(encoding="utf-8"))
        os.kill(announcement["pid"], 0)
        environ = {str(name): str(value) for name, value in announcement["environ"].items()}
        return environ if pid in (None, announcement["pid"]) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def environment() -> Mapping[str, str]:
    """The environment that commands work in: this process's, and where it names no broker, below it the one of what
    runs here, whose state folder is then the one meant. Nothing is written: `os.environ` stays as it is.
    """
    if os.environ.get(BROKER):
        return os.environ
    state_dir = settings().state_dir
    running = announced(state_dir)
    if running is None:
        return os.environ
    return {**running, **os.environ, "UNS_STATE_DIR": running.get("UNS_STATE_DIR", str(state_dir))}


def effective_settings() -> Settings:
    """Settings read from `environment()`: a command's own, and below them those of what runs here."""
    return from_environment(environment())
