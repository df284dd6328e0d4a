"""The usual port of what runs on one machine, so that addresses stay the same; another one, named, where that is taken."""

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from uns.errors import ServiceError
from uns.runtime.ports import claim, free_port, holder

USUAL = {"page": 8080, "kafka": 9092, "registry": 8081, "postgres": 5432, "mqtt": 1883}

_reserved: list[IO[str]] = []
"""Locks of the ports that this process has taken, held as long as it runs."""


def usual_port(service: str, say: Callable[[str], None]) -> int:
    """The service's usual port, or a free one where that is taken; then `say` hears by whom and which one it is."""
    port = USUAL[service]
    if _reserve(port):
        try:
            return claim(port, service)
        except ServiceError:
            taken_by = holder(port)
    else:
        taken_by = "another `uns up` or `uns demo`"
    other = free_port()
    say(f"! {service}: port {port} is in use by {taken_by}; it is at port {other} this time")
    return other


def _reserve(port: int) -> bool:
    """Whether the port is ours. Between the look and the service's own bind a second run must not take it, too."""
    folder = Path(tempfile.gettempdir()) / f"uns-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = (folder / str(port)).open("a", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    _reserved.append(file)
    return True
