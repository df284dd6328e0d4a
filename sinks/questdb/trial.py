"""Shows the lines of one record, or what the target says to them."""

from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Trial
from sinks.kit.batches import Outcome, Row
from sinks.kit.http import Answer
from sinks.kit.trying import unwritten
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

    told += await unwritten(QuestdbSink(name, config, folder, heard), delivery)
    return told


trial = Trial(tell, send)
