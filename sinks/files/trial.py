"""Shows what the sink makes of one record: the rows, and the files that they would go to."""

from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Trial
from sinks.files.changes import layouts
from sinks.files.config import FilesSinkConfig
from sinks.files.lines import Unfit
from sinks.files.sink import FilesSink
from sinks.kit.rows import plain, record_of
from sinks.kit.template import UnfitValue
from sinks.kit.trying import unwritten


def tell(config: FilesSinkConfig, delivery: Delivery) -> list[dict[str, Any]]:
    """A row for each set of files that wants the record; CSV and JSON as they would be written."""
    told: list[dict[str, Any]] = []
    for layout in layouts(config):
        if layout.files.record != record_of(delivery):
            continue
        try:
            for row, added in zip(layout.rows(delivery), layout.added(delivery), strict=True):
                shown: Any = added.content.decode(errors="replace") if isinstance(added.content, bytes) else plain(dict(zip(layout.names, added.content, strict=True)))  # fmt: skip
                told.append({"file": f"{added.group}.NUMBER.{layout.files.format}", "row": shown, "withdrawn": bool(row.get("withdrawn"))})  # fmt: skip
        except (Unfit, UnfitValue, OverflowError) as error:
            told.append({"file": f"{layout.files.name}.{layout.files.format}", "rejected": "unfit", "message": str(error)})  # fmt: skip
    return told


async def send(name: str, config: FilesSinkConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Writes it as a run would; positions stay where they are. Raises `Retryable`."""
    if refused := await unwritten(FilesSink(name, config, folder), delivery):
        return refused
    return [{**told, "outcome": "written"} for told in tell(config, delivery)] or [{"outcome": "nothing", "message": "no file wants it"}]  # fmt: skip


trial = Trial(tell, send)
