"""A file's lines to raw records: generous about form, exact about content; a fault is named with its line and the way out.

One JSON object a line, or one JSON array of such objects. Blank lines, lines that begin with `#`, a byte order mark and
CRLF are fine.
"""

import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from sys import intern
from typing import Any, NamedTuple, TypeVar

import msgspec

from processors.inputs.facts import EARLIEST, LATEST
from schemas.records import RAW_TYPES, Break, Raw, Sample, Samples, Value
from schemas.text import iso, micros
from topology.nearest import hint

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SOURCE = "file"
"""Who says what says not who says it."""
LINES = "file, by line"
"""The source of samples without a sequence: the file itself is, and its order counts."""
TYPES: dict[str, type[Raw]] = {cls.__name__: cls for cls in RAW_TYPES}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "Samples": {"source": SOURCE, "sequence": None},
    "Reason": {"by": SOURCE},
    "Gap": {"by": SOURCE, "cause": "not_said"},
    "Tick": {"worker": SOURCE, "path": ""},
}
QUALITIES = {"good": 0, "uncertain": 0x40000000, "bad": 0x80000000}
QUALITY_MAX = 0xFFFFFFFF
TIMES = ("at", "started_at", "ended_at")
_LONG = 1 << 63
_TOP = ("type", "path")
RowT = TypeVar("RowT", bound=msgspec.Struct)


class FileRecord(NamedTuple):
    """A record and the line it stands on, from 1."""

    line: int
    path: str
    record: Raw


class Refusal(NamedTuple):
    """What cannot be folded, and why. `reason` is one word, as in the engine's quarantine."""

    line: int
    path: str | None
    tag: str | None
    reason: str
    message: str


class _Fault(ValueError):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _PlainSample(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    tag: str
    at: str
    value: Value = None
    quality: int = 0


class _PlainSamples(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="Samples"):
    path: str
    samples: list[_PlainSample]
    source: str = SOURCE
    sequence: int | None = None


_decode = msgspec.json.Decoder(_PlainSamples).decode


def read(data: bytes | Iterable[bytes]) -> Iterator[FileRecord | Refusal]:
    """Every record of a file's bytes or of its lines, in order, or why it is none."""
    lines = iter(io.BytesIO(data) if isinstance(data, bytes) else data)
    number = 0
    for line in lines:
        line, number = line.removeprefix(BYTE_ORDER_MARK) if number == 0 else line, number + 1
        stripped = line.strip()
        if stripped:
            break
    else:
        return
    if stripped.startswith(b"["):
        yield from _array(b"\n" * (number - 1) + line + b"".join(lines))
        return
    for number, line in enumerate(chain([line], lines), number):  # noqa: B020 (goes on from where the loop above came)
        stripped = line.strip()
        if stripped and not stripped.startswith(b"#"):
            told = _usual(number, stripped)
            if told is not None:
                yield told
            else:
                yield from _line(number, stripped)


def as_far_as(
    told: Iterable[FileRecord | Refusal], unreadable: tuple[type[Exception], ...]
) -> Iterator[FileRecord | Refusal]:
    """What a file says up to where it ends too early or is damaged, which is refused. Raises where that is at once."""
    number = 0
    try:
        for item in told:
            number = item.line
            yield item
    except unreadable as error:
        if not number:
            raise
        message = f"the file cannot be read from here on ({error}); what stands before is folded"
        yield Refusal(number + 1, None, None, "cut_off", message)


def _usual(number: int, line: bytes) -> FileRecord | None:
    """The fast way for samples as they mostly are; None for everything else, faults too."""
    try:
        plain = _decode(line)
        # Names come again on every line: each is kept once.
        samples = tuple([Sample(intern(part.tag), micros(part.at), part.value, part.quality) for part in plain.samples])
    except (msgspec.MsgspecError, ValueError):
        return None
    source, sequence = plain.source, plain.sequence
    if sequence is None:
        source, sequence = LINES, number
    if not -_LONG <= sequence < _LONG:
        return None
    for sample in samples:
        long = type(sample.value) is int and not -_LONG <= sample.value < _LONG
        if long or not EARLIEST <= sample.at <= LATEST or not 0 <= sample.quality <= QUALITY_MAX:
            return None
    return FileRecord(number, intern(plain.path), Samples(intern(source), sequence, samples))


def _line(number: int, line: bytes) -> Iterator[FileRecord | Refusal]:
    try:
        plain = json.loads(line.decode("utf-8"))  # takes NaN and Infinity, so that they are refused as what they are
    except UnicodeDecodeError:
        yield Refusal(number, None, None, "not_utf8", "this is not UTF-8 text; save the file as UTF-8")
    except (ValueError, RecursionError) as error:
        words = f"this is no JSON: {error}; one JSON object a line is expected"
        yield Refusal(number, None, None, "bad_json", words)
    else:
        yield from records(number, plain, number)


def _array(data: bytes) -> Iterator[FileRecord | Refusal]:
    """The records of a JSON array, each at the line where it begins."""
    decoder = json.JSONDecoder()
    at = counted = told = 0
    number = 1
    try:
        text = data.decode("utf-8")
        at = text.index("[") + 1
        separator = "["
        while True:
            at = _skipped(text, at)
            if text[at : at + 1] == "]" and separator == "[":
                break
            number, counted = number + text.count("\n", counted, at), at
            plain, at = decoder.raw_decode(text, at)
            told += 1
            yield from records(number, plain, told)
            at = _skipped(text, at)
            separator = text[at : at + 1]
            if separator == "]":
                break
            if separator != ",":
                raise ValueError("a comma, or ] at the end, is expected after it")
            at += 1
        if text[at + 1 :].strip():
            raise ValueError("something follows the array; one array, or one object a line, is expected")
    except UnicodeDecodeError:
        yield Refusal(1, None, None, "not_utf8", "this is not UTF-8 text; save the file as UTF-8")
    except (ValueError, RecursionError) as error:
        number += text.count("\n", counted, at)
        yield Refusal(number, None, None, "bad_json", f"this is no JSON array, what follows is not read: {error}")


def _skipped(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def records(number: int, plain: Any, place: int) -> Iterator[FileRecord | Refusal]:
    """The record that a JSON value says, without those of its samples that are at fault: they are refused one by one.

    `place`: rises from record to record; the sequence of samples that have none.
    """
    path = _text_or_none(plain, "path")
    try:
        if not isinstance(plain, dict):
            raise _Fault("wrong_type", f"a JSON object is expected, not {_short(plain)}")
        _check_text("path", plain.get("path"))
        name = plain.get("type")
        cls = TYPES.get(name) if isinstance(name, str) else None
        if cls is None:
            said = "type is missing" if name is None else f"type {_short(name)} is no raw record"
            raise _Fault("unknown_type", f"{said}; {hint(name, TYPES)}")
        plain = {**DEFAULTS.get(cls.__name__, {}), **plain}
        if cls is not Samples:
            record: Raw = msgspec.convert(_fields(cls, plain, cls.__name__, _TOP), cls)
        else:
            parts = plain.get("samples")
            fields = _fields(Samples, {**plain, "samples": []} if "samples" in plain else plain, "Samples", _TOP)
            if not isinstance(parts, list):
                raise _Fault("wrong_type", f"samples: a list is expected, not {_short(parts)}")
            good = []
            for n, part in enumerate(parts):
                try:
                    good.append(_sample(part, f"samples[{n}]"))
                except _Fault as fault:
                    yield Refusal(number, path, _text_or_none(part, "tag"), fault.reason, str(fault))
            if parts and not good:
                return
            if fields["sequence"] is None:
                fields |= {"source": LINES, "sequence": place}
            record = msgspec.convert({**fields, "samples": good}, Samples)
        if not isinstance(plain["path"], str):
            raise _Fault("wrong_type", f"path: text is expected, not {_short(plain['path'])}")
    except _Fault as fault:
        yield Refusal(number, path, None, fault.reason, str(fault))
    except msgspec.ValidationError as error:
        yield Refusal(number, path, None, "wrong_type", f"{plain['type']}: {error}")
    except RecursionError:
        yield Refusal(number, path, None, "wrong_type", "this is nested too deep")
    else:
        yield FileRecord(number, plain["path"], record)


def _sample(plain: Any, where: str) -> Sample:
    """Raises `_Fault`."""
    fields = _fields(Sample, plain, where)
    value, quality = fields.get("value"), fields.get("quality", 0)
    if isinstance(value, dict | list):
        raise _Fault("wrong_type", f"{where}: value: a number, text, true, false or null is expected")
    if isinstance(quality, str) and quality.lower() in QUALITIES:
        fields["quality"] = QUALITIES[quality.lower()]
    elif type(quality) is not int or not 0 <= quality <= QUALITY_MAX:
        reason = "out_of_range" if type(quality) is int else "wrong_type"
        known = f"{', '.join(QUALITIES)}, or an OPC UA status code from 0 to {QUALITY_MAX}"
        raise _Fault(reason, f"{where}: quality {_short(quality)}; there are {known}")
    try:
        return msgspec.convert(fields, Sample)
    except msgspec.ValidationError as error:
        raise _Fault("wrong_type", f"{where}: {error}") from None


def _fields(cls: type[RowT], plain: Any, where: str, beside: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a struct with their times as µs, without those in `beside`. Raises `_Fault`."""
    if not isinstance(plain, dict):
        raise _Fault("wrong_type", f"{where}: a JSON object is expected, not {_short(plain)}")
    known = msgspec.structs.fields(cls)
    names = (*beside, *(field.name for field in known))
    for key in plain:
        if key not in names:
            raise _Fault("unknown_key", f"{where}: unknown key {key!r}; {hint(key, names)}")
    for key in (*beside, *(field.name for field in known if field.required)):
        if key not in plain:
            raise _Fault("missing_key", f"{where}: {key} is missing")
    fields = {}
    for key, value in plain.items():
        if key in beside:
            continue
        if key in TIMES and value is not None:
            value = _time(value, f"{where}: {key}")
        elif type(value) is int and not -_LONG <= value < _LONG:
            raise _Fault("out_of_range", f"{where}: {key} does not fit 64 bits")
        elif isinstance(value, str):
            _check_text(f"{where}: {key}", value)
        elif key == "breaks" and isinstance(value, list):
            value = [_fields(Break, part, f"{where}: breaks[{n}]") for n, part in enumerate(value)]
        fields[key] = value
    return fields


def _check_text(where: str, value: Any) -> None:
    """Raises `_Fault` for a text that JSON can write and no UTF-8 can hold."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Fault("bad_text", f"{where}: half of a surrogate pair stands in it, which is no character") from None


def _text_or_none(plain: Any, key: str) -> str | None:
    """What stands at a key, where it is a text that can be written."""
    value = plain.get(key) if isinstance(plain, dict) else None
    try:
        _check_text(key, value)
    except _Fault:
        return None
    return value if isinstance(value, str) else None


def _time(value: Any, where: str) -> int:
    """µs UTC of an ISO 8601 text with offset, or of a whole number of µs. Raises `_Fault`."""
    if isinstance(value, str):
        try:
            at = micros(value)
        except (ValueError, OverflowError) as error:
            second = ":60" in value
            why = "has a leap second; times here have none, write the second before it" if second else str(error)
            why = why if why.startswith("time") else f"time {value!r} {why if second else f'is not ISO 8601: {why}'}"
            raise _Fault("bad_time", f"{where}: {why}") from None
    elif type(value) is int:
        at = value
    else:
        raise _Fault("bad_time", f"{where}: {_short(value)} is no time; write 2026-11-23T06:00:00Z, or whole µs")
    if not EARLIEST <= at <= LATEST:
        said = iso(at) if 0 <= at <= LATEST * 2 else str(at)
        unit = "; whole numbers are microseconds since 1970" if type(value) is int else ""
        raise _Fault("out_of_range", f"{where}: {said} is outside 2000 to 2100{unit}")
    return at


def _short(value: Any) -> str:
    try:
        text = str(value) if isinstance(value, float) and not math.isfinite(value) else json.dumps(value)
    except RecursionError:
        text = "what is nested too deep"
    return text if len(text) <= 40 else f"{text[:37]}…"
