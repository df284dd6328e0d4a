"""Writes one record by a sink that is opened for it alone, and says what became of it: for `uns sink try --send`."""

from typing import Any

from sinks.base import Delivery, Rejected, Sink


async def unwritten(sink: Sink, delivery: Delivery) -> list[dict[str, Any]]:
    """Why the record was not written, in words; empty where it was. Raises `Retryable`."""
    try:
        await sink.open()
        told = await sink.write([delivery], {})
    finally:
        await sink.close()
    return [
        {"outcome": type(each).__name__.lower()}
        | ({"reason": each.reason} if isinstance(each, Rejected) else {})
        | {"message": each.message}
        for each in told
    ]
