"""Shows what the webhook makes of one record: the request that would go out, or what the receiver says to it."""

from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Trial
from sinks.kit.answer import Answer
from sinks.kit.cloudevents import Unfit, checked
from sinks.kit.trying import unwritten
from sinks.webhook.config import WebhookConfig
from sinks.webhook.event import Body, body, event, wanted
from sinks.webhook.signature import message_id
from sinks.webhook.sink import Webhook


def tell(config: WebhookConfig, delivery: Delivery) -> list[dict[str, Any]]:
    """Unsigned: a signature is of the moment that it is made in."""
    try:
        if not wanted(config, checked(delivery)):
            return []
        made = body(config.mode, [event(delivery, True)])
    except Unfit as error:
        return [{"rejected": "unfit", "message": str(error)}]
    headers = {**made.headers, "webhook-id": message_id(made.identity)}
    return [{"sends": f"POST {config.url}", "headers": headers, "body": made.content.decode()}]


async def send(name: str, config: WebhookConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Through the ledger. Raises `Retryable`."""
    told: list[dict[str, Any]] = []

    def heard(made: Body, answer: Answer, judged: str) -> None:
        told.append({"sent": f"POST {config.url}", "webhook-id": message_id(made.identity), "answer": answer.words, "judged": judged})  # fmt: skip

    told += await unwritten(Webhook(name, config, folder, heard), delivery)
    return told or [{"outcome": "nothing", "message": "it was told already, or is no event of `events`"}]


trial = Trial(tell, send)
