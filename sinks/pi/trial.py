"""Shows the values of one record, or what the target says to them."""

from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Trial
from sinks.kit.http import Answer
from sinks.kit.trying import unwritten
from sinks.pi.config import PiConfig
from sinks.pi.sink import PATH, PiSink
from sinks.pi.values import PiValue, Unfit, item, point_type, values


def tell(config: PiConfig, delivery: Delivery) -> list[dict[str, Any]]:
    """As for points of the types that would be made."""
    return [_told(config, value) for value in values(config, delivery)]


def _told(config: PiConfig, value: PiValue | str) -> dict[str, Any]:
    if isinstance(value, str):
        return {"rejected": "unfit", "message": value}
    try:
        sent = item(value, point_type(value.value))
    except Unfit as error:
        return {"point": value.point, "rejected": "unfit", "message": str(error)}
    option = "Remove" if value.gone else "Replace"
    return {"sends": f"POST {config.url}{PATH}?updateOption={option}", "point": value.point, "item": sent}


async def send(name: str, config: PiConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Raises `Retryable`."""
    told: list[dict[str, Any]] = []

    def heard(asked: str, answer: Answer) -> None:
        told.append({"sent": asked, "answer": answer.words, "headers": dict(answer.headers)})

    told += await unwritten(PiSink(name, config, folder, heard), delivery)
    return told


trial = Trial(tell, send)
