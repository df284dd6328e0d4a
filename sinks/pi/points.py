"""The points of a data archive: found by name, made where that is asked for, remembered."""

import time
from dataclasses import dataclass
from typing import Any

from schemas.records import Value
from sinks.base import Retryable
from sinks.kit.http import Answer, HttpTarget, NoAnswer
from sinks.pi.answer import said
from sinks.pi.config import PiConfig
from sinks.pi.values import point_type

POINTS_MAX = 200_000
MISSING_S = 60.0
"""A point that is missing is looked for again after this."""


@dataclass(frozen=True)
class Point:
    web_id: str
    type: str


class NoPoint(Exception):
    """There is none, or it cannot be made; the message says what the target says."""


class Points:
    """Of one open target. Raises `Retryable`."""

    def __init__(self, config: PiConfig, target: HttpTarget) -> None:
        self._config, self._target = config, target
        self._known: dict[str, Point] = {}
        self._missing: dict[str, tuple[float, str]] = {}
        self._server: str | None = None

    async def find(self, name: str, value: Value) -> Point:
        """`value`: what a point that is made must be able to hold. Raises `NoPoint`."""
        if (known := self._known.get(name)) is not None:
            return known
        now = time.monotonic()
        if name in self._missing and now < self._missing[name][0]:
            raise NoPoint(self._missing[name][1])
        if len(self._known) + len(self._missing) >= POINTS_MAX:
            self._known.clear()
            self._missing.clear()
        try:
            found = await self.look(name) or await self._make(name, value)
        except NoPoint as error:
            self._missing[name] = (now + MISSING_S, str(error))
            raise
        self._known[name] = found
        return found

    def forget(self, name: str) -> None:
        self._known.pop(name, None)

    async def look(self, name: str) -> Point | None:
        """None where there is none; makes nothing."""
        path = f"\\\\{self._config.data_server}\\{name}"
        answer = await self._ask("GET", "/points", {"path": path, "selectedFields": "WebId;PointType"})
        if answer.status == 404:
            return None
        body = answer.body
        if answer.status != 200 or not isinstance(body, dict) or not isinstance(body.get("WebId"), str):
            raise self._strange("GET", "/points", answer)
        return Point(body["WebId"], str(body.get("PointType")))

    async def _make(self, name: str, value: Value) -> Point:
        if not self._config.create:
            raise NoPoint(f"there is no point {name!r} on {self._config.data_server}; make it, or set create")
        if value is None:
            raise NoPoint(
                f"there is no point {name!r}, and a sample without a value does not say of which type to make it"
            )
        its = point_type(value)
        where = f"/dataservers/{await self._archive()}/points"
        wanted = {
            "Name": name,
            "PointClass": self._config.point_class,
            "PointType": its,
            "Step": its != "Float64",
            "Descriptor": "made by uns",
        }
        answer = await self._ask("POST", where, {}, json=wanted)
        if answer.status in (201, 409) and (made := await self.look(name)) is not None:
            return made  # whoever made it
        if answer.status not in (400, 422) or said(answer) is None:
            raise self._strange("POST", where, answer)
        raise NoPoint(f"point {name!r} cannot be made: {answer.status} {said(answer)}")

    async def _archive(self) -> str:
        if self._server is None:
            answer = await self._ask("GET", "/dataservers", {"path": f"\\\\{self._config.data_server}"})
            body = answer.body
            if answer.status != 200 or not isinstance(body, dict) or not isinstance(body.get("WebId"), str):
                raise self._strange("GET", "/dataservers", answer)
            self._server = body["WebId"]
        return self._server

    async def _ask(self, method: str, path: str, query: dict[str, str], **more: Any) -> Answer:
        return await asked(self._target, method, path, query, **more)

    def _strange(self, method: str, path: str, answer: Answer) -> Retryable:
        where = self._target.where(method, path)
        return Retryable(f"sink {self._target.name}: {where}: {answer.words}: check url and data_server")


async def asked(target: HttpTarget, method: str, path: str, query: dict[str, str], **more: Any) -> Answer:
    """An answer that is meant for us. Raises `Retryable`."""
    try:
        answer = await target.ask(method, path, query, **more)
    except NoAnswer as error:
        raise Retryable(f"sink {target.name}: {error}") from error
    target.refuse_all(method, path, answer)
    return answer
