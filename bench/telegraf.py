"""Telegraf, built once by Go on demand, for who measures beside it."""

import os
import shutil
import subprocess
from pathlib import Path

from bench.cluster import Failed

MODULE, VERSION = "github.com/influxdata/telegraf/cmd/telegraf", "v1.36.4"
TAGS = (
    "custom,inputs.mqtt_consumer,inputs.kafka_consumer,outputs.kafka,outputs.postgresql,parsers.json,serializers.json"
)
BUILD_S = 1_800.0
ROOT = Path(__file__).parents[1]


def program() -> Path:
    """Built once below `build/`. Raises `Failed` where there is no Go, or it cannot be built."""
    folder = ROOT / "build" / f"telegraf-{VERSION}-mqtt-kafka-postgresql"
    if (found := folder / "telegraf").exists():
        return found
    if (go := shutil.which("go")) is None:
        raise Failed("Telegraf cannot be built: there is no Go")
    environ = os.environ | {"GOBIN": str(folder), "GOFLAGS": "-p=2"}
    try:
        done = subprocess.run([go, "install", "-tags", TAGS, f"{MODULE}@{VERSION}"], env=environ, capture_output=True, text=True, timeout=BUILD_S)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failed(f"Telegraf cannot be built within {BUILD_S:.0f} s") from None
    if done.returncode:
        raise Failed(f"Telegraf cannot be built: {done.stderr.strip()[-300:]}")
    return found
