"""Where the services are for a command typed beside a running `uns demo`: the environment first, then what runs here."""

import json
import os
from pathlib import Path

from schemas.codec import Codec
from uns.errors import UserError
from uns.runtime.settings import Settings, settings

RUNNING = "running.json"
"""In the state folder: the environment of the embedded services that run now, and the process that started them."""


def announce(state_dir: Path, environ: dict[str, str]) -> None:
    """Writes down where the embedded services are, for commands in another terminal."""
    state_dir.mkdir(parents=True, exist_ok=True)
    draft = state_dir / f"{RUNNING}.{os.getpid()}"
    draft.write_text(json.dumps({"pid": os.getpid(), "environ": environ}), encoding="utf-8")
    draft.replace(state_dir / RUNNING)


def withdraw(state_dir: Path) -> None:
    """Removes this process's announcement."""
    if _announced(state_dir, pid=os.getpid()) is not None:
        (state_dir / RUNNING).unlink(missing_ok=True)


def _announced(state_dir: Path, pid: int | None = None) -> dict[str, str] | None:
    try:
        found = json.loads((state_dir / RUNNING).read_text(encoding="utf-8"))
        os.kill(found["pid"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return dict(found["environ"]) if pid in (None, found["pid"]) else None


def connection() -> Settings:
    """Settings with addresses. Raises `UserError` when neither the environment nor a running demo names a broker."""
    given = settings()
    if given.bootstrap is not None:
        return given
    environ = _announced(given.state_dir)
    if environ is None:
        raise UserError("no Kafka: set UNS_BOOTSTRAP (and UNS_REGISTRY), or start `uns demo` in another terminal")
    for name, value in environ.items():
        os.environ.setdefault(name, value)
    os.environ["UNS_STATE_DIR"] = environ.get("UNS_STATE_DIR", str(given.state_dir))  # the run's own, below ours
    settings.cache_clear()
    return settings()


def codec(given: Settings) -> Codec:
    """The codec over the registry; works from the disk cache while the registry is away. Raises `UserError` without either."""
    from uns.registry.client import Registry, RegistryUnavailable

    if given.registry is None:
        raise UserError("no schema registry: set UNS_REGISTRY")
    try:
        return Registry(given.registry, given.state_dir / "schemas").codec()
    except RegistryUnavailable as error:
        raise UserError(str(error)) from error
