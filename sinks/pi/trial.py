"""Shows the values of one record, or what the target says to them."""

from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Rejected, Trial
from sinks.kit.http import Answer
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

    sink = PiSink(name, config, folder, heard)
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
