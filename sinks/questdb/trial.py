"""Shows the lines of one record, or what the target says to them."""

from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Rejected, Trial
from sinks.kit.batches import Outcome, Row
from sinks.kit.http import Answer
from sinks.questdb.config import QuestdbConfig
from sinks.questdb.sink import QuestdbSink
from sinks.questdb.tables import Rows


def tell(config: QuestdbConfig, delivery: Delivery) -> list[dict[str, Any]]:
    return [
        {"sends": f"POST {config.url}/write?precision=u", "line": row.content.text}
        if isinstance(row, Row)
        else {"rejected": "unfit", "message": row}
        for row in Rows(config.table_prefix).of(delivery)
    ]


async def send(name: str, config: QuestdbConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Raises `Retryable`."""
    told: list[dict[str, Any]] = []

    def heard(answer: Answer, outcome: Outcome) -> None:
        told.append({"answer": answer.words, "headers": dict(answer.headers), "judged": outcome.verdict.name.lower()})

    sink = QuestdbSink(name, config, folder, heard)
    try:
        await sink.open()
        unwritten = await sink.write([delivery], {})
    finally:
        await sink.close()
    for each in unwritten:
        reason = {"reason": each.reason} if isinstance(each, Rejected) else {}
        told.append({"outcome": type(each).__name__.lower(), **reason, "message": each.message})
    return told


trial = Trial(tell, send)
