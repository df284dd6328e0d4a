"""The virtual environment of Quix Streams: its pins clash with ours."""

import subprocess
import sys
from pathlib import Path

from bench.cluster import Failed

CONSTRAINTS = Path(__file__).with_name("quix-constraints.txt")
INSTALL_S = 300.0


def python(build: Path) -> Path:
    """Its interpreter, made on demand with pip alone. Raises `Failed`."""
    folder = build / "quix-venv"
    interpreter, stamp = folder / "bin" / "python", folder / ".installed"
    wanted = CONSTRAINTS.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return interpreter
    install = [
        str(interpreter),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-c",
        str(CONSTRAINTS),
    ]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [*install, "quixstreams", "fastavro", "msgspec"],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"Quix Streams cannot be installed within {INSTALL_S:.0f} s") from None
        if done.returncode:
            raise Failed(f"Quix Streams cannot be installed: {done.stderr.strip()[-300:]}")
    stamp.write_text(wanted, encoding="utf-8")
    return interpreter
