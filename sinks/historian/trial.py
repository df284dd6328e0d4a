"""Shows what the sink makes of one record: the row that would be written, or the rows that the database then has."""

from pathlib import Path as FilePath
from typing import Any

import msgspec

from sinks.base import Delivery, Trial
from sinks.historian.config import HistorianConfig
from sinks.historian.sink import Historian
from sinks.historian.tables import rows
from sinks.kit.trying import unwritten


def tell(config: HistorianConfig, delivery: Delivery) -> list[dict[str, Any]]:
    """Table and row; nothing of a record that a historian does not keep, or whose time no calendar has."""
    try:
        found = rows(delivery)
    except (ValueError, OverflowError) as error:
        return [{"rejected": "postgres_data", "message": str(error)}]
    if found is None:
        return []
    table, made = found
    plain = [msgspec.to_builtins(dict(zip(table.names, row, strict=True))) for row in made]
    return [{"table": f"{config.schema_name}.{table.name}", "row": row} for row in plain]


async def send(name: str, config: HistorianConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Written as a run would, and no position moved. Beside a run: it has a lock of its own. Raises `Retryable`."""
    if refused := await unwritten(Historian(f"{name} (try)", config, folder), delivery):
        return refused
    return [{"outcome": "written", **each} for each in tell(config, delivery)]


trial = Trial(tell, send)
