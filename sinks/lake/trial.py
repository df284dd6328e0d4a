"""`uns sink try` for a lake: the rows that a record becomes. They are shown, never written by hand: a row that a run has not
written would stand twice beside the one that it will.
"""

from pathlib import Path as FilePath
from typing import Any

import msgspec

from sinks.base import Delivery, Rejected, Trial
from sinks.lake.config import LakeConfig
from sinks.lake.sink import Lake


def tell(config: LakeConfig, delivery: Delivery) -> list[dict[str, Any]]:
    """Raises `ImportError` without the extra."""
    from sinks.lake.rows import build

    rejected: list[Rejected] = []
    found = [
        {"table": f"{config.url}/{name}", "row": _plain(row)}
        for name, batches in build([delivery], rejected).items()
        for batch in batches
        for row in batch.to_pylist()
    ]
    return found + [{"outcome": "rejected", "reason": each.reason, "message": each.message} for each in rejected]


async def send(name: str, config: LakeConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Opens the lake, and says how far the tables are. Raises `Retryable`."""
    sink = Lake(name, config, folder)
    try:
        await sink.open()
        positions = await sink.positions()
    finally:
        await sink.close()
    next_offset = positions.get((delivery.topic, delivery.partition))
    reached = "nothing of its partition is in the lake yet" if next_offset is None else f"the lake has its partition up to offset {next_offset - 1}"  # fmt: skip
    return [{"outcome": "nothing", "message": f"{config.url} can be read; {reached}. Only a run writes, so that each row is there once"}]  # fmt: skip


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(row)
    return plain


trial = Trial(tell, send)
