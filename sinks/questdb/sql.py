"""A statement to QuestDB over HTTP, and the rows that it answers."""

from typing import Any

from sinks.base import Retryable
from sinks.kit.http import HttpTarget, NoAnswer


async def ask(target: HttpTarget, query: str) -> list[dict[str, Any]]:
    """Rows by column. Raises `Retryable`."""
    where = f"sink {target.name}: {target.where('GET', '/exec')}"
    try:
        answer = await target.ask("GET", "/exec", {"query": query})
    except NoAnswer as error:
        raise Retryable(f"sink {target.name}: {error}") from error
    target.refuse_all("GET", "/exec", answer)
    body = answer.body
    if answer.status != 200 or not isinstance(body, dict) or "error" in body:
        said = body.get("error") if isinstance(body, dict) else None
        raise Retryable(f"{where}: {query[:60]} …: {answer.status} {said or 'this is no QuestDB; check url'}")
    names = [column["name"] for column in body.get("columns", ())]
    return [dict(zip(names, row, strict=True)) for row in body.get("dataset", ())]
