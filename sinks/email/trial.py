"""Shows what the mail about one record would be, or what the server says to it."""

import time
from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Trial
from sinks.email.config import EmailConfig
from sinks.email.digest import line, message
from sinks.email.sink import Email
from sinks.kit.cloudevents import Unfit, checked
from sinks.kit.trying import unwritten
from sinks.webhook.event import fits


def tell(config: EmailConfig, delivery: Delivery) -> list[dict[str, Any]]:
    """A message for each report that wants the record, as if it stood in it alone."""
    told: list[dict[str, Any]] = []
    for report in config.reports:
        try:
            record = checked(delivery)
            if not isinstance(record, report.kind) or not fits(report, record):
                continue
            one = line(config, report, record)
        except Unfit as error:
            told.append({"report": report.name, "rejected": "unfit", "message": str(error)})
            continue
        at_once = report.at_once is not None and fits(report.at_once, record)
        when = "at once" if at_once else f"at {', '.join(report.at)}" if report.at else f"within {report.every_min} min"
        made = message(config, "sink", report, [one], time.time())
        told.append({"report": report.name, "to": list(config.recipients(report)), "goes": when, "line": one.text, "mail": made.content.decode()})  # fmt: skip
    return told


async def send(name: str, config: EmailConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Through the outbox: what goes at once goes, and what is a line of a digest waits for it. Raises `Retryable`."""
    left = await unwritten(Email(name, config, folder), delivery)
    told = [{**each, "mail": "in the outbox, or sent"} for each in tell(config, delivery)]
    told += left
    return told or [{"outcome": "nothing", "message": "no report wants it"}]


trial = Trial(tell, send)
