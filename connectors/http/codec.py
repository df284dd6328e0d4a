"""Bodies of requests to readings. Pure: whatever a body says, the answer is readings, facts or `Malformed`, never an error."""

import re
from collections.abc import Callable
from typing import NamedTuple

from connectors.base import Malformed, Reading, Said
from connectors.http.config import PLACE, Lines
from connectors.http.line_protocol import Point, points
from connectors.kit.message import MESSAGE_MAX, said
from connectors.kit.shape import Shape
from connectors.kit.times import BadTime, Unit, micros
from schemas.records import Sample
from topology.namespace.path import BadPath, Path

KINDS: dict[str, Shape] = {
    "samples": Shape(),
    "orders": Shape(payload="order"),
    "lots": Shape(payload="lot"),
    "shifts": Shape(payload="shift"),
    "reasons": Shape(payload="reason"),
    "inspections": Shape(payload="inspection"),
    "work-orders": Shape(payload="work_order"),
    "limits": Shape(payload="limits"),
}
"""What /v1/KIND/… takes."""
SAID_MAX = 100_000
"""Things that one request may say: of nothing but line breaks and letters it would be half a million. More is cut off at once
behind that, and its request is refused as a whole."""


class Precision(NamedTuple):
    """What a time of the line protocol counts: so many of a unit."""

    unit: Unit
    each: int = 1


PRECISIONS: dict[str, Precision] = {
    "": Precision("ns"),
    "n": Precision("ns"),
    "ns": Precision("ns"),
    "u": Precision("us"),
    "us": Precision("us"),
    "ms": Precision("ms"),
    "s": Precision("s"),
    "m": Precision("s", 60),
    "h": Precision("s", 3600),
}
"""As both versions of InfluxDB write them."""


def decode(kind: str, path: Path, body: bytes, arrived: int, json_lines: bool = False) -> list[Said]:
    """What was posted to /v1/KIND/PATH: one message, or one on each line."""
    origin = f"/v1/{kind}/{path}"
    if not json_lines:
        return said(KINDS[kind], origin, path, body, arrived)
    things: list[Said] = []
    for line in body.split(b"\n"):
        if line.strip():
            things += said(KINDS[kind], origin, path, line, arrived)
        if len(things) > SAID_MAX:
            break
    return things


def decode_lines(lines: Lines, allowed: Path, body: bytes, precision: Precision, arrived: int) -> list[Said]:
    """What was posted to /write. A point whose path is not below `allowed` is malformed."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return [Malformed("/write", body, "bad_text", f"/write: not UTF-8: {error}"[:MESSAGE_MAX])]
    things: list[Said] = []
    for point in points(text):
        if isinstance(point, Point):
            things += _said(lines, allowed, point, precision, arrived)
        else:
            things.append(_malformed(point.line, "bad_line", point.message))
        if len(things) > SAID_MAX:
            break
    return things


def _said(lines: Lines, allowed: Path, point: Point, precision: Precision, arrived: int) -> list[Said]:
    try:
        path = Path.parse(_filled(lines.path, point, None, lines.level))
    except BadPath as error:
        return [_malformed(point.line, "no_path", f"the point gives no path: {error}; see `lines`")]
    if not allowed.contains(path):
        return [_malformed(point.line, "not_allowed", f"the token may post below {allowed}, not to {path}")]
    try:
        at = arrived if point.at is None else micros(point.at * precision.each, precision.unit)
    except BadTime as error:
        return [_malformed(point.line, "bad_time", f"{error}; the request's `precision` says the unit", path)]
    things: list[Said] = []
    for field, value in point.fields.items():
        try:
            tag = _filled(lines.tag, point, field, str)
        except BadPath as error:
            things.append(_malformed(point.line, "bad_payload", f"field {field[:80]!r}: {error}", path))
            continue
        things.append(Reading(path, Sample(tag, at, value), "arrival" if point.at is None else "source"))
    things += [_malformed(point.line, reason, f"{field[:80]}: {words}", path) for field, (reason, words) in point.bad.items()]  # fmt: skip
    return things


def _malformed(line: str, reason: str, words: str, path: Path | None = None) -> Malformed:
    return Malformed("/write", line.encode(), reason, f"/write: {words}"[:MESSAGE_MAX], path)


def _filled(template: str, point: Point, field: str | None, spell: Callable[[str], str]) -> str:
    """Raises `BadPath` for a name that the point does not have."""
    names = {**point.tags, "measurement": point.measurement}
    if field is not None:
        names["field"] = field

    def name(match: re.Match[str]) -> str:
        if (found := names.get(match[1])) is None:
            raise BadPath(f"the point has no tag {match[1]!r}")
        return spell(found)

    return PLACE.sub(name, template)
