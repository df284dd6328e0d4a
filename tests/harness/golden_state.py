"""The state of a release on a realistic line, as a file: what later releases must load, or say that they rebuild.

    python -m tests.harness.golden_state tests/cases/state/4

writes the state of the code that is checked out, and the raw log that it follows from.
"""

import random
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from processors.line import LineFold
from schemas.records import RAW_TYPES
from tests.harness.line_logs import HOUR, T0, Run, Told, ticks
from tests.harness.line_scenarios import scenario

SEED, RECORDS_A_SAVE = 20, 200


class Golden(NamedTuple):
    """A release's state after the first `offset` records of a log."""

    state_version: int
    offset: int
    keys: dict[str, bytes]
    log: list[Told]


def read(folder: Path) -> Golden:
    """The records of the log are of today's types."""
    version, offset, keys, log = msgspec.msgpack.decode(zlib.decompress((folder / "state.bin").read_bytes()))
    types = {cls.__name__: cls for cls in RAW_TYPES}
    return Golden(version, offset, keys, [(path, msgspec.convert(content, types[name])) for path, name, content in log])


def write(folder: Path) -> None:
    """Folds three hours of two machines, saved as often as a worker would; the log goes on for a fifth of it."""
    log = [*scenario(random.Random(SEED)).punctual(), *ticks(T0 + 4 * HOUR, T0 + 8 * HOUR, HOUR)]
    offset = len(log) * 4 // 5
    run = Run()
    for start in range(0, offset, RECORDS_A_SAVE):
        run.feed(log[start : min(start + RECORDS_A_SAVE, offset)]).save()
    content = [(path, type(record).__name__, msgspec.to_builtins(record)) for path, record in log]
    data = msgspec.msgpack.encode((LineFold.state_version, offset, dict(sorted(run.store.items())), content))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.bin").write_bytes(zlib.compress(data, 9))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
