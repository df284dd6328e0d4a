"""Each engine's process says when it began to process, so that its start-up is in nobody's figure."""

import json
import os
import time
from pathlib import Path


def mark(file: Path) -> None:
    """Writes wall time and CPU seconds of this process up to now."""
    begun = {"wall_s": time.time(), "cpu_s": time.process_time()}
    part = file.with_suffix(".part")
    part.write_text(json.dumps(begun), encoding="utf-8")
    os.replace(part, file)
