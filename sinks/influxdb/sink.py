"""Writes batches of lines, and makes of what the target answers what becomes of each record."""

from collections.abc import Callable, Sequence
from pathlib import Path as FilePath

from sinks.base import Delivery, Positions, Retryable, Unwritten
from sinks.influxdb.answer import NotForUs, judge
from sinks.influxdb.config import InfluxdbConfig
from sinks.influxdb.points import Points
from sinks.kit.batches import Batches, Outcome, Row, Verdict, series_rows
from sinks.kit.http import Answer, HttpTarget, NoAnswer
from sinks.kit.suspects import Suspects

MEDIA_TYPE = "text/plain; charset=utf-8"
Heard = Callable[[Answer, Outcome], None]


class InfluxdbSink:
    """One database. Effectively once: a point is known by its series and time, and a second write of it is the same."""

    def __init__(self, name: str, config: InfluxdbConfig, folder: FilePath, heard: Heard | None = None) -> None:
        """`heard` is told of each answer that is judged."""
        self._name, self._config, self._heard = name, config, heard
        self._points = Points(config.measurement_prefix)
        self._batches = Batches(self._post, config.lines_max, config.bytes_max, Suspects(config.tries, config.tries_s))
        self._target: HttpTarget | None = None

    async def open(self) -> None:
        """The target is first asked when there is something to write."""
        await self.close()
        self._target = HttpTarget(self._name, self._config, self._config.scheme)

    async def positions(self) -> Positions | None:
        return None

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        if self._target is None:
            raise Retryable(f"sink {self._name}: not open")
        rows, unwritten = series_rows(deliveries, self._points.of)
        for each in await self._batches.write(rows):
            unwritten.setdefault(id(each.delivery), each)
        return list(unwritten.values())

    async def _post(self, rows: Sequence[Row]) -> Outcome:
        assert self._target is not None
        path, query = self._config.endpoint
        body = "\n".join([row.content for row in rows]).encode()
        try:
            answer = await self._target.post(path, query, body, MEDIA_TYPE)
        except NoAnswer as error:
            return Outcome(Verdict.FAILED, "no_answer", f"sink {self._name}: {error}")
        self._target.refuse_all("POST", path, answer)
        try:
            outcome = judge(answer, rows)
        except NotForUs as error:
            made = answer.status == 404 and await self._create()
            words = f"sink {self._name}: {self._target.where('POST', path)}: {self._config.place}"
            raise Retryable(f"{words} is made" if made else f"{words}: {error}") from None
        if self._heard is not None:
            self._heard(answer, outcome)
        return outcome if outcome.verdict is not Verdict.FAILED else self._target.broke("POST", path, outcome)

    async def _create(self) -> bool:
        """Makes the database where that is asked for. Raises `Retryable`."""
        assert self._target is not None
        if not self._config.create or self._config.database is None:
            return False
        quoted = self._config.database.replace("\\", "\\\\").replace('"', '\\"')
        try:
            answer = await self._target.ask("POST", "/query", {"q": f'CREATE DATABASE "{quoted}"'})
        except NoAnswer as error:
            raise Retryable(f"sink {self._name}: {error}") from error
        self._target.refuse_all("POST", "/query", answer)
        return answer.status == 200 and '"error"' not in answer.text

    async def close(self) -> None:
        target, self._target = self._target, None
        if target is not None:
            await target.close()
