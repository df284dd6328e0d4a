"""Writes batches of values, and makes of what the target answers for each of them what becomes of its record."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from schemas.records import Samples, Tick
from sinks.base import Delivery, LeftBehind, Positions, Rejected, Retryable, Unwritten
from sinks.kit.batches import TAKEN, Batches, Outcome, Row, Verdict
from sinks.kit.http import Answer, HttpTarget, NoAnswer
from sinks.kit.suspects import Suspects
from sinks.pi.answer import NotForUs, judge
from sinks.pi.config import PiConfig
from sinks.pi.points import NoPoint, Points
from sinks.pi.values import PiValue, Unfit, item, values

PATH = "/streamsets/recorded"
HEADERS = {"X-Requested-With": "uns"}
"""Asked for where the defence against cross-site requests is on."""
Heard = Callable[[str, Answer], None]


@dataclass(slots=True)
class Timed:
    """A value on its way to its point."""

    point: str
    web_id: str
    item: dict[str, Any]
    gone: bool


class PiSink:
    """One data archive. Effectively once: a value is known by its point and time, and replaces what is there."""

    def __init__(self, name: str, config: PiConfig, folder: FilePath, heard: Heard | None = None) -> None:
        """`heard` is told of each answer to values, with what was asked."""
        self._name, self._config, self._heard = name, config, heard
        self._batches = Batches(self._post, config.values_max, config.bytes_max, Suspects(config.tries, config.tries_s))
        self._target: HttpTarget | None = None
        self._points: Points | None = None

    async def open(self) -> None:
        """The target is first asked when there is something to write."""
        await self.close()
        self._target = HttpTarget(self._name, self._config, headers=HEADERS)
        self._points = Points(self._config, self._target)

    async def positions(self) -> Positions | None:
        return None

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        if self._target is None:
            raise Retryable(f"sink {self._name}: not open")
        rows: list[Row] = []
        unwritten: dict[int, Unwritten] = {}
        for delivery in deliveries:
            record, before = delivery.record, len(rows)
            for value in values(self._config, delivery):
                row = value if isinstance(value, str) else await self._row(delivery, value)
                if isinstance(row, Row):
                    rows.append(row)
                elif isinstance(row, str):
                    unwritten[id(delivery)] = Rejected(delivery, "unfit", row)
                elif row is not None:
                    unwritten[id(delivery)] = row
            if len(rows) == before and id(delivery) not in unwritten and not isinstance(record, Samples | Tick):
                unwritten[id(delivery)] = LeftBehind(delivery, f"`fields` names none of a {type(record).__name__}")
        for each in await self._batches.write(rows):
            unwritten.setdefault(id(each.delivery), each)
        return list(unwritten.values())

    async def _row(self, delivery: Delivery, value: PiValue) -> Row | Rejected | str | None:
        """None: there is nothing to take away. Raises `Retryable`."""
        assert self._points is not None
        try:
            point = await self._points.find(value.point, value.value)
            content = Timed(value.point, point.web_id, item(value, point.type), value.gone)
        except NoPoint as error:
            return None if value.gone else Rejected(delivery, "no_point", str(error))
        except Unfit as error:
            return f"{value.point}: {error}"
        return Row(delivery, (value.point, value.at), content, 100 + len(str(value.value)))

    async def _post(self, rows: Sequence[Row]) -> Outcome:
        for option, gone in (("Replace", False), ("Remove", True)):
            places = [place for place, row in enumerate(rows) if row.content.gone is gone]
            if not places:
                continue
            outcome = await self._send(option, [rows[place] for place in places])
            if outcome.verdict is not Verdict.TAKEN:
                guilty = {places[place]: words for place, words in outcome.guilty.items()}
                return Outcome(outcome.verdict, outcome.reason, outcome.words, guilty)
        return TAKEN

    async def _send(self, option: str, rows: Sequence[Row]) -> Outcome:
        assert self._target is not None
        assert self._points is not None
        streams: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            streams.setdefault(row.content.web_id, []).append(place)
        body = [
            {"WebId": web_id, "Items": [rows[place].content.item for place in places]}
            for web_id, places in streams.items()
        ]
        query = {"updateOption": option, "bufferOption": "DoNotBuffer"}
        try:
            answer = await self._target.post(PATH, query, json.dumps(body).encode(), "application/json", packed=False)
        except NoAnswer as error:
            return Outcome(Verdict.FAILED, "no_answer", f"sink {self._name}: {error}")
        if self._heard is not None:
            self._heard(f"POST {PATH} {option}", answer)
        self._target.refuse_all("POST", PATH, answer)
        try:
            outcome = judge(answer, len(rows))
        except NotForUs as error:
            raise Retryable(f"sink {self._name}: {self._target.where('POST', PATH)}: {error}") from None
        if outcome.verdict is Verdict.FAILED:
            return self._target.broke("POST", PATH, outcome)
        sent = [place for places in streams.values() for place in places]  # the order of the statuses
        if len(rows) == 1 and outcome.verdict is Verdict.REFUSED:
            self._points.forget(rows[0].content.point)  # it may be another one by now
        return Outcome(outcome.verdict, outcome.reason, outcome.words, {sent[place]: words for place, words in outcome.guilty.items()})  # fmt: skip

    async def close(self) -> None:
        target, self._target, self._points = self._target, None, None
        if target is not None:
            await target.close()
