"""What values a payload holds, by the kind that its shape names: tags, each with what was said of it. Pure."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from connectors.kit.selector import MISSING, BadSelection, Selector
from connectors.kit.shape import Shape
from connectors.kit.times import SHOWN_MAX, BadTime, micros, shown
from schemas.records import GOOD, Value, is_good, is_uncertain

DEPTH_MAX = 32
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
BAD_NO_DATA = 0x809B0000
"""OPC UA's code for: the source has no value."""


class BadPayload(ValueError):
    """A message, or a part of it, that is no reading; `reason` is one of a few words."""

    def __init__(self, reason: str, message: str, part: Any = MISSING) -> None:
        super().__init__(message)
        self.reason, self.part = reason, part

    @property
    def partial(self) -> bool:
        """Whether a part is bad and not the whole message."""
        return self.part is not MISSING


class Told(NamedTuple):
    """One value. `at` None: the message gives no time."""

    tag: str
    at: int | None
    value: Value
    quality: int = GOOD


def document(payload: bytes, bytes_max: int) -> Any:
    """The JSON of a payload. Raises `BadPayload`; of a name that stands twice in an object, too: nobody knows which counts."""
    if len(payload) > bytes_max:
        raise BadPayload("too_large", f"{len(payload)} bytes, at most {bytes_max} are read")
    try:
        return json.loads(payload, object_pairs_hook=_once)
    except BadPayload:
        raise
    except (ValueError, RecursionError) as error:
        raise BadPayload("bad_json", f"not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in fields if names.count(name) > 1)
        raise BadPayload("bad_json", f"{shown(twice)} stands twice in one object")
    return fields


def told(shape: Shape, tag: str | None, payload: bytes, bytes_max: int) -> Iterator[Told | BadPayload]:
    """What a message of samples, an object or a bare value says; what is bad in a part is given, of the whole raised.

    `tag`: of a bare value its tag; of an object what stands before the names of its fields, None for nothing.
    """
    if shape.payload == "value":
        yield _bare(shape, tag or "", payload, bytes_max)
        return
    read = document(payload, bytes_max)
    if shape.payload == "object":
        yield from objects(shape, tag, read)
        return
    if not isinstance(read, dict):
        raise BadPayload("bad_payload", f"a JSON object is expected, this is a {type(read).__name__}")
    if "values" in read:
        yield from _values(shape, read)
    else:
        yield from _samples(shape, read)


def _values(shape: Shape, read: Mapping[str, Any]) -> Iterator[Told | BadPayload]:
    values = read["values"]
    if not isinstance(values, dict):
        raise BadPayload("bad_payload", "'values' must be an object of tag: value")
    at = _at(shape, read.get("at"))
    quality = _quality(read.get("quality", GOOD))
    for tag, value in values.items():
        part: Told | BadPayload
        try:
            part = Told(_tag(tag), at, _value(shape, tag, value, quality), quality)
        except BadPayload as bad:
            part = BadPayload(bad.reason, str(bad), {"tag": tag, "at": at, "value": value, "quality": quality})
        yield part


def _samples(shape: Shape, read: Mapping[str, Any]) -> Iterator[Told | BadPayload]:
    samples = read.get("samples")
    if not isinstance(samples, list):
        raise BadPayload(
            "bad_payload",
            'neither "values" nor "samples" is here; {"at": …, "values": {"Tag": 1}} is expected, '
            "or say `payload: object` where the fields are the tags",
        )
    for entry in samples:
        part: Told | BadPayload
        try:
            part = _sample(shape, entry)
        except BadPayload as bad:
            part = BadPayload(bad.reason, str(bad), entry)
        yield part


def _sample(shape: Shape, entry: Any) -> Told:
    if not isinstance(entry, dict):
        raise BadPayload("bad_payload", "a sample must be an object with tag, at and value")
    tag = _tag(entry.get("tag"))
    at = _at(shape, entry.get("at"))
    if "value" not in entry:
        raise BadPayload("bad_payload", f"{shown(tag)} has no value")
    quality = _quality(entry.get("quality", GOOD))
    return Told(tag, at, _value(shape, tag, entry["value"], quality), quality)


def objects(shape: Shape, tag_before: str | None, read: Any) -> Iterator[Told | BadPayload]:
    """What the objects of a message say that `select` finds, or the message itself; one bad object does not spoil others."""
    if shape.selectors.select is None:
        if not isinstance(read, dict) and not (isinstance(read, list) and shape.fields):
            kind = type(read).__name__
            hint = "; `fields` say what of a list is meant, `select: '@'` reads its objects" if kind == "list" else ""
            raise BadPayload("bad_payload", f"a JSON object is expected, this is a {kind}{hint}")
        yield from _object(shape, tag_before, read, read)
        return
    found = _found(shape.selectors.select, read)
    if found is MISSING or found is None or found is False:
        return
    for entry in found if isinstance(found, list) else [found]:
        try:
            if not isinstance(entry, dict):
                raise BadPayload("bad_payload", f"`select` finds a {type(entry).__name__} where an object is expected")
            yield from _object(shape, tag_before, entry, read)
        except BadPayload as bad:
            yield BadPayload(bad.reason, str(bad), entry)


def _object(shape: Shape, tag_before: str | None, entry: Any, whole: Any) -> Iterator[Told | BadPayload]:
    """Fields as tags, those inside others by their names joined by dots, those of lists by their place. `entry` is an object;
    where `fields` say what is meant of it, it may be a list."""
    selectors = shape.selectors
    at = None if selectors.at is None else _time_of(shape, selectors.at, entry, whole)
    quality = GOOD if selectors.quality is None else _quality_of(shape, selectors.quality, entry)
    if selectors.name is not None and selectors.value is not None:
        name, value = _found(selectors.name, entry), _found(selectors.value, entry)
        if value is MISSING:
            raise BadPayload("bad_payload", f"{shown(name)} has no value")
        yield from _parts(shape, _below(tag_before, _tag(name)), at, value, quality)
    elif selectors.fields:
        for tag, selector in selectors.fields:
            try:
                value = _found(selector, entry)
                if value is not MISSING:
                    yield from _parts(shape, _below(tag_before, tag), at, value, quality)
            except BadPayload as bad:
                yield BadPayload(bad.reason, str(bad), entry)
    else:
        for name, value in entry.items():
            if name not in selectors.told:
                yield from _parts(shape, _below(tag_before, name), at, value, quality)


def _parts(shape: Shape, tag: str, at: int | None, value: Any, quality: int) -> Iterator[Told | BadPayload]:
    """A value, or what is in it."""
    if not isinstance(value, dict | list):
        yield _part(shape, tag, at, value, quality)
        return
    for name, part in flat(value, 1):
        yield _part(shape, _below(tag, name), at, part, quality)


def _part(shape: Shape, tag: str, at: int | None, value: Any, quality: int) -> Told | BadPayload:
    try:
        return _told(shape, tag, at, value, quality)
    except BadPayload as bad:
        return BadPayload(bad.reason, str(bad), {tag: value})


def _found(selector: Selector, document: Any) -> Any:
    try:
        return selector.find(document)
    except BadSelection as error:
        raise BadPayload("bad_payload", str(error)) from None


def _time_of(shape: Shape, selector: Selector, entry: Any, whole: Any) -> int | None:
    at = _found(selector, entry)
    if at is MISSING and whole is not entry:
        at = _found(selector, whole)
    return None if shape.no_time == "arrival" and (at is MISSING or at is None) else _at(shape, at)


def _quality_of(shape: Shape, selector: Selector, entry: Any) -> int:
    said = _found(selector, entry)
    code = None if said is MISSING or isinstance(said, dict | list | float) else shape.code(str(said)[:SHOWN_MAX])
    if code is None:
        what = "nothing" if said is MISSING else shown(said)
        raise BadPayload("bad_quality", f"`{selector.text}` = {what} is no quality; name it in `qualities`")
    return code


def _below(tag: str | None, name: str) -> str:
    """A name with what stands before it; of a field without a name of its own, what stands before."""
    return f"{tag}.{name}" if tag and name else tag or name


def _told(shape: Shape, tag: str, at: int | None, value: Any, quality: int = GOOD) -> Told:
    if shape.unknown and isinstance(value, str) and value in shape.unknown:
        return Told(_tag(tag), at, None, BAD_NO_DATA)
    return Told(_tag(tag), at, _value(shape, tag, value, quality), quality)


def flat(value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """(name, value) of all that is no object and no list."""
    if depth > DEPTH_MAX:
        raise BadPayload("bad_payload", "nested too deep")
    entries = value.items() if isinstance(value, dict) else ((str(n), part) for n, part in enumerate(value))
    for name, part in entries:
        if isinstance(part, dict | list):
            for below, leaf in flat(part, depth + 1):
                yield f"{name}.{below}", leaf
        else:
            yield name, part


def _bare(shape: Shape, tag: str, payload: bytes, bytes_max: int) -> Told:
    """A payload that is one value: a number, true, false, null, or text as it stands."""
    if len(payload) > bytes_max:
        raise BadPayload("too_large", f"{len(payload)} bytes, at most {bytes_max} are read")
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise BadPayload("bad_text", f"not UTF-8: {error}") from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return _told(shape, tag, None, value)


def _at(shape: Shape, value: Any) -> int:
    try:
        return micros(None if value is MISSING else value, shape.time, shape.zone_info, shape.time_format)
    except BadTime as error:
        raise BadPayload("bad_time", str(error)) from None


def _tag(tag: Any) -> str:
    if not isinstance(tag, str) or not tag:
        raise BadPayload("bad_payload", "a sample has no tag")
    check_text(tag, "a tag")
    return tag


def _value(shape: Shape, tag: str, value: Any, quality: int = GOOD) -> Value:
    if isinstance(value, str):
        check_text(value, tag)
        return _number(value) if shape.text_numbers else value
    if isinstance(value, float) and not math.isfinite(value):
        if not is_good(quality) and not is_uncertain(quality):
            return None  # how many sources say that a sensor failed
        raise BadPayload("bad_value", f"{tag} = {shown(value)}: JSON has no such number, or it does not fit 64 bits")
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise BadPayload("bad_value", f"{tag} = {shown(value)} does not fit 64 bits")
        return value
    raise BadPayload(
        "bad_value",
        f"{tag} is a {type(value).__name__}; a number, text, true, false or null is expected",
    )


def _number(text: str) -> Value:
    """A number that stands there as text; any other text as it is."""
    plain = text.strip()
    if not _NUMBER.fullmatch(plain) or len(plain) > 64:
        return text
    if plain.lstrip("+-").isdigit():
        return number if -(2**63) <= (number := int(plain)) < 2**63 else text
    return float(plain)


def _quality(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32:
        return value
    raise BadPayload("bad_payload", f"quality {shown(value)} is no OPC UA status code")


def check_text(text: str, what: str) -> None:
    """Raises `BadPayload` for what JSON can write and no UTF-8 can hold."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadPayload("bad_text", f"{what} holds half of a surrogate pair, which is no character") from None
