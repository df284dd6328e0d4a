"""Shows the lines of one record, or what the target says to them."""

from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Trial
from sinks.influxdb.config import InfluxdbConfig
from sinks.influxdb.points import Points
from sinks.influxdb.sink import InfluxdbSink
from sinks.kit.batches import Outcome, Row
from sinks.kit.http import Answer
from sinks.kit.trying import unwritten


def tell(config: InfluxdbConfig, delivery: Delivery) -> list[dict[str, Any]]:
    path, query = config.endpoint
    where = f"POST {config.url}{path}?{'&'.join(f'{name}={value}' for name, value in query.items())}"
    return [
        {"sends": where, "line": row.content} if isinstance(row, Row) else {"rejected": "unfit", "message": row}
        for row in Points(config.measurement_prefix).of(delivery)
    ]


async def send(name: str, config: InfluxdbConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Raises `Retryable`."""
    told: list[dict[str, Any]] = []

    def heard(answer: Answer, outcome: Outcome) -> None:
        told.append({"answer": answer.words, "headers": dict(answer.headers), "judged": outcome.verdict.name.lower()})

    told += await unwritten(InfluxdbSink(name, config, folder, heard), delivery)
    return told


trial = Trial(tell, send)
