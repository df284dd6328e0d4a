"""Shows what the sink makes of one record: the requests that would go out, or what the target says to them."""

from pathlib import Path as FilePath
from typing import Any

from schemas.records import Derived
from sinks.base import Delivery, Trial
from sinks.kit.answer import Answer, Verdict
from sinks.kit.template import UnfitValue, fill, fill_url
from sinks.kit.trying import unwritten
from sinks.rest.calls import Cancel, Create, Update
from sinks.rest.config import RequestMapping, RestConfig
from sinks.rest.objects import fits_when, request, template_values
from sinks.rest.shared import alone
from sinks.rest.sink import RestSink
from sinks.rest.target import Refused

REMOTE_ID = "REMOTE-ID"
"""Stands for the id that the target will have given."""


def tell(config: RestConfig, delivery: Delivery) -> list[dict[str, Any]]:
    """The requests of each mapping that wants the record: `create` first, the others as they may follow; of an object that many
    share as if the record were its only one."""
    record = delivery.record
    told: list[dict[str, Any]] = []
    for mapping in config.requests:
        if isinstance(record, mapping.kind):
            try:
                told += _requests(config, mapping, record)
            except Refused as refused:
                told.append({"request": mapping.known_as, "rejected": refused.reason, "message": str(refused)})
    return told


def _requests(config: RestConfig, mapping: RequestMapping, record: Derived) -> list[dict[str, Any]]:
    values = template_values(record, config)
    if not fits_when(mapping, record, values):
        return []
    values |= alone(mapping, record, values)
    found: list[dict[str, Any]] = []
    comment, close = (mapping.object.comment, mapping.object.close) if mapping.object is not None else (None, None)
    calls = {
        "create": mapping.create,
        "update": mapping.update,
        "cancel": mapping.cancel,
        "comment": comment,
        "close": close,
    }
    for step, call in calls.items():
        if call is not None:
            url, body = request(call, values) if isinstance(call, Create) else _request(call, values)
            found.append({"request": mapping.known_as, "step": step, "sends": f"{call.method} {config.base_url}{url}", "body": body})  # fmt: skip
    if mapping.lookup is not None:
        try:
            paged = {**values, "page": mapping.lookup.page_from, "offset": 0}
            url, body = fill_url(mapping.lookup.url, paged), fill(mapping.lookup.body, paged)
        except UnfitValue as error:
            raise Refused("unfit", str(error)) from error
        found.append({"request": mapping.known_as, "step": "lookup", "sends": f"{mapping.lookup.method} {config.base_url}{url}", **({"body": body} if body else {})})  # fmt: skip
    return found


def _request(call: Update | Cancel, values: dict[str, Any]) -> tuple[str, Any]:
    """With an id that stands for the target's: a number where it has to be one. Raises `Refused`."""
    try:
        return request(call, {**values, "remote_id": REMOTE_ID})
    except Refused:
        return request(call, {**values, "remote_id": "0"})


async def send(name: str, config: RestConfig, folder: FilePath, delivery: Delivery) -> list[dict[str, Any]]:
    """Through the ledger, so that nothing is made twice. Raises `Retryable`."""
    told: list[dict[str, Any]] = []

    def heard(asked: str, answer: Answer, verdict: Verdict, why: str) -> None:
        told.append({"sent": asked, "answer": answer.words, "headers": dict(answer.headers), "judged": verdict.name.lower(), "why": why})  # fmt: skip

    told += await unwritten(RestSink(name, config, folder, heard), delivery)
    return told or [{"outcome": "nothing", "message": "the ledger has this revision already, or no request wants it"}]


trial = Trial(tell, send)
