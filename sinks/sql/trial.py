"""Shows what the sink makes of one record: the rows, or what the database says to them."""

from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Trial
from sinks.kit.rows import record_of
from sinks.kit.template import UnfitValue
from sinks.kit.trying import unwritten
from sinks.sql.changes import shown
from sinks.sql.config import SqlSinkConfig
from sinks.sql.fitting import Unfit, written
from sinks.sql.sink import SqlSink


def tell(config: SqlSinkConfig, delivery: Delivery) -> list[dict[str, Any]]:
    """A row for each table that wants the record, as text; `delete` or `mark` where it is taken back."""
    told: list[dict[str, Any]] = []
    for mapping in config.tables:
        if mapping.record != record_of(delivery):
            continue
        try:
            for row in shown(config, mapping, delivery):
                step = mapping.on_withdrawn if row["removed"] else "upsert"
                values = {name: _json(value) for name, value in row["values"].items()}
                told.append({"table": mapping.called, "step": step, "key": list(mapping.key_columns), "row": values})
        except (Unfit, UnfitValue, OverflowError) as error:
            told.append({"table": mapping.called, "rejected": "unfit", "message": str(error)})
    return told


async def send(name: str, config: SqlSinkConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Writes it as a run would; positions stay where they are. Raises `Retryable`."""
    if refused := await unwritten(SqlSink(name, config, folder), delivery):
        return refused
    return [{**told, "outcome": "written"} for told in tell(config, delivery)] or [{"outcome": "nothing", "message": "no table wants it"}]  # fmt: skip


def _json(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else written(value)


trial = Trial(tell, send)
