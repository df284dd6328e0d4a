"""Our engine as it runs: one worker process with the bench's fold or the whole line fold. `python -m bench.ours`."""

import sys
from pathlib import Path

from bench.begun import mark
from bench.fold import plant
from bench.step import IDS, ChangeFold
from processors.base import Fold
from processors.line import LineFold
from schemas.codec import Codec
from uns.engine.config import EngineConfig
from uns.engine.service import serve
from uns.engine.worker import Worker
from uns.runtime.clock import system
from uns.runtime.settings import Settings


def main() -> None:
    """Raw topic, group, slot, file for the begin, tick seconds, and the line fold's paths (0: the bench's fold;
    -1: the bench's fold without output)."""
    raw, group, slot, begun, tick_s, paths = sys.argv[1:]
    model = plant(int(paths)) if int(paths) > 0 else None

    def fold(topic: str, partition: int) -> Fold:
        if not Path(begun).exists():
            mark(Path(begun))  # the last step of a restore: nothing is fetched before it
        return ChangeFold(tells=int(paths) == 0) if model is None else LineFold(model, topic, partition)

    settings, config = Settings(), EngineConfig()

    def make() -> Worker:
        return Worker(
            settings,
            config,
            [raw],
            fold,
            Codec(IDS),
            group=group,
            slot=int(slot),
            clock=system,
            tick_s=float(tick_s),
        )

    serve(settings, make)


if __name__ == "__main__":
    main()
