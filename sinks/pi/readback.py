"""Reads recorded values back by PI Web API's stream calls, for `uns sink verify`: point after point, some values at a time."""

import math
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, islice, takewhile
from pathlib import Path as FilePath
from typing import Any

import msgspec

from schemas.records import Value
from schemas.text import calendar, micros_of
from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.kit.digest import digest
from sinks.kit.http import HttpTarget
from sinks.pi.config import PiConfig
from sinks.pi.points import Point, Points, asked
from sinks.pi.sink import HEADERS
from sinks.pi.values import PiValue, Unfit, fitted, values

AT_ONCE = 500
"""Values that are asked for at once."""
SPARE = 100
"""Others that may lie between them, before fewer are asked for."""
GRAIN_US = 16
"""An archive keeps time in steps of 1/65536 s."""
_ROUNDED = "Float16"
"""Of such a point a value comes back as its zero and span allow: it cannot be compared."""


class _Hint(msgspec.Struct, array_like=True):
    point: str
    at: int
    value: Value


_decode = msgspec.msgpack.Decoder(_Hint).decode


def wanted(config: PiConfig, delivery: Delivery) -> Iterable[Wanted]:
    """A value of a point. Where none is to be, what stands there is not judged."""
    revision = getattr(delivery.record, "revision", 0)
    for value in values(config, delivery):
        if isinstance(value, PiValue):
            hint = msgspec.msgpack.encode(_Hint(value.point, value.at, value.value))
            told = digest(value.value if value.value == value.value else "NaN")
            yield Wanted(f"{value.point} {value.at:016}", value.at, revision, told, value.gone, hint)


async def found(
    name: str,
    config: PiConfig,
    folder: FilePath,
    begin: int,
    end: int,
    expected: Callable[[], Iterator[Wanted]],
) -> AsyncIterator[Found]:
    """Values of points that a record has; what else the points hold between them is nobody's. Raises `Retryable`."""
    target = HttpTarget(name, config, headers=HEADERS)
    points = Points(config, target)
    try:
        hinted = ((_decode(each.hint), each) for each in expected())
        for point, group in groupby(hinted, lambda pair: pair[0].point):
            there = await points.look(point)
            while some := list(islice(group, AT_ONCE)):
                if there is None:
                    continue
                async for each in _of_point(target, there, some):
                    yield each
    finally:
        await target.close()


async def _of_point(target: HttpTarget, point: Point, some: Sequence[tuple[_Hint, Wanted]]) -> AsyncIterator[Found]:
    held = await _recorded(target, point, some[0][0].at - GRAIN_US, some[-1][0].at + GRAIN_US, len(some) + SPARE)
    if held is None:  # too many lie between: fewer at once
        middle = len(some) // 2
        for part in (some[:middle], some[middle:]):
            async for one_found in _of_point(target, point, part):
                yield one_found
        return
    begun = 0
    for hint, each in some:
        while begun < len(held) and held[begun][0] < hint.at - GRAIN_US:
            begun += 1
        near = list(takewhile(lambda one: one[0] <= hint.at + GRAIN_US, islice(held, begun, None)))  # noqa: B023
        exact = [one for one in near if one[0] == hint.at] or near
        for _, value in exact:
            yield _judged(point, hint, each, value)


def _judged(point: Point, hint: _Hint, each: Wanted, held: Any) -> Found:
    try:
        sent = fitted(hint.value, point.type)
    except Unfit:
        return Found(each.key, 0, unsure=True)
    if point.type == _ROUNDED and not isinstance(sent, dict):
        return Found(each.key, 0, unsure=True)
    same = _same(sent, held, point.type)
    return Found(each.key, each.digest if same else 0, "" if same else f"is {held!r:.80}, sent {sent!r:.80}")


def _same(sent: Any, held: Any, its: str) -> bool:
    if isinstance(held, dict):  # a digital state, of the point or of the system
        return held.get("Name") == (sent.get("Name") if isinstance(sent, dict) else sent) or held.get("Value") == sent
    if its == "Float32" and isinstance(sent, float) and isinstance(held, int | float):
        return math.isclose(held, struct.unpack("f", struct.pack("f", sent))[0], rel_tol=1e-6)
    return bool(sent == held)


async def _recorded(target: HttpTarget, point: Point, begin: int, end: int, most: int) -> list[tuple[int, Any]] | None:
    """(µs, value) in order of time; None: there are more. Raises `Retryable`."""
    path = f"/streams/{point.web_id}/recorded"
    query = {
        "startTime": _moment(begin),
        "endTime": _moment(end),
        "boundaryType": "Inside",
        "maxCount": str(most),
        "selectedFields": "Items.Timestamp;Items.Value",
    }
    answer = await asked(target, "GET", path, query)
    body = answer.body
    try:
        items = [(micros_of(datetime.fromisoformat(one["Timestamp"])), one["Value"]) for one in body["Items"]]
    except (TypeError, KeyError, ValueError) as error:
        raise Retryable(
            f"sink {target.name}: {target.where('GET', path)}: {answer.words}: no recorded values"
        ) from error
    return None if len(items) >= most else sorted(items, key=lambda one: one[0])


def _moment(at: int) -> str:
    return calendar(at).removesuffix("+00:00") + "Z"


def left_out(config: PiConfig) -> Iterable[str]:
    yield "whether a value that was taken back is gone, the quality of values, and points of type Float16 are not compared"


verification = Verification(wanted, found, left_out)
