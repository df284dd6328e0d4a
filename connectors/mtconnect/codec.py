"""MTConnect documents of any schema version, from XML. Pure: bytes are a document, or `BadDocument` says why not."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from lxml import etree

from connectors.kit.times import BadTime, micros, shown

DOCUMENT_MAX_BYTES = 32_000_000
UNAVAILABLE = "UNAVAILABLE"
SEQUENCE_MAX = 2**64
_UTC = ZoneInfo("UTC")
_HARDENED: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_CATEGORIES = {"Samples": "SAMPLE", "Events": "EVENT", "Condition": "CONDITION"}


class BadDocument(ValueError):
    """No document of an agent; `reason` is one of a few words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Header(NamedTuple):
    """What a document says of the agent and its buffer; None where it does not."""

    instance: int | None
    """Another one means that the agent was restarted, and its sequence with it."""
    version: str
    created: int | None
    """µs, by the agent's clock."""
    first: int | None
    """Oldest sequence in the buffer."""
    last: int | None
    """Newest sequence in the buffer."""
    next: int | None
    """Where to read on."""
    buffer: int | None
    """Observations that the buffer holds."""


class DataItem(NamedTuple):
    id: str
    name: str | None
    category: str
    type: str
    sub_type: str
    representation: str
    units: str
    rate: float | None
    """Samples a second, of a time series."""
    component: str
    """Name of its component, or what kind that is."""


class Device(NamedTuple):
    id: str
    name: str
    uuid: str
    kind: str
    """Name of its element: `Device`, or `Agent` for what an agent tells of itself."""
    items: tuple[DataItem, ...]


class Cell(NamedTuple):
    """An entry of a data set, or a cell of a table."""

    key: str
    text: str | None
    """None: taken out of the set."""


class Observation(NamedTuple):
    item: str
    sequence: int
    at: int
    """µs, as the agent's source says."""
    category: str
    type: str
    """Name of the element; of a condition its type."""
    text: str
    level: str
    """Of a condition, `NORMAL`, `WARNING`, `FAULT` or `UNAVAILABLE`."""
    code: str
    """Of a condition, what tells it from others of its data item: its id, else its native code."""
    native_code: str
    rate: float | None
    """Of a time series, samples a second; None: the data item says."""
    samples: int | None
    """Of a time series, how many samples it says it has."""
    cells: tuple[Cell, ...] | None
    reset: str
    """Why a count or a set begins anew; empty where it does not."""

    @property
    def available(self) -> bool:
        return self.level != UNAVAILABLE if self.category == "CONDITION" else self.text != UNAVAILABLE


class BadObservation(NamedTuple):
    """An observation that is none; the rest of its document is good."""

    item: str
    payload: bytes
    reason: str
    message: str


class Devices(NamedTuple):
    header: Header
    devices: tuple[Device, ...]


class Streams(NamedTuple):
    header: Header
    observations: tuple[Observation, ...]
    bad: tuple[BadObservation, ...]


class Errors(NamedTuple):
    header: Header
    errors: tuple[tuple[str, str], ...]
    """(code, words)"""


def parse(data: bytes) -> Devices | Streams | Errors:
    """Raises `BadDocument`, and nothing else, whatever the bytes."""
    if len(data) > DOCUMENT_MAX_BYTES:
        raise BadDocument("too_large", f"{len(data)} bytes, at most {DOCUMENT_MAX_BYTES} are read")
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadDocument("bad_xml", f"no XML: {error}"[:300]) from None
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        raise BadDocument("bad_xml", "a document type is declared, which no agent does")
    kind = _local(root)
    if kind == "MTConnectDevices":
        return Devices(_header(root, 0), tuple(_devices(root)))
    if kind == "MTConnectStreams":
        return _streams(root)
    if kind == "MTConnectError":
        return Errors(_header(root, 0), tuple(_errors(root)))
    raise BadDocument("bad_document", f"<{kind[:80]}> is no document of devices, streams or errors")


def header_of(data: bytes) -> Header | None:
    """What a document of streams says of the buffer, though something behind that cannot be read; None where not even that."""
    reader = etree.XMLPullParser(events=("start",), **_HARDENED)
    with suppress(etree.XMLSyntaxError, ValueError):
        reader.feed(data)
    elements = [element for _, element in reader.read_events() if isinstance(element, etree._Element)]
    if not elements or _local(elements[0]) != "MTConnectStreams" or _child(elements[0], "Header") is None:
        return None
    return None if elements[0].getroottree().docinfo.internalDTD is not None else _header(elements[0], 0)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(recover=False, **_HARDENED)


def _local(element: etree._Element) -> str:
    """The name without its namespace, which differs from version to version; empty of what is no element."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _child(parent: etree._Element, name: str) -> etree._Element | None:
    return next((child for child in parent if _local(child) == name), None)


def _number(element: etree._Element, name: str) -> int | None:
    text = element.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        return None
    return number if (number := int(text)) < SEQUENCE_MAX else None


def _rate(element: etree._Element) -> float | None:
    try:
        rate = float(element.get("sampleRate", ""))
    except ValueError:
        return None
    return rate if 0 < rate < 1e9 else None


def _header(root: etree._Element, newest: int) -> Header:
    """`newest`: the highest sequence of the document, by which an agent that does not say it is read on."""
    header = _child(root, "Header")
    if header is None:
        raise BadDocument("bad_document", "it has no Header")
    try:
        created = micros(header.get("creationTime", ""), zone=_UTC)
    except BadTime:
        created = None
    following = _number(header, "nextSequence")
    return Header(
        _number(header, "instanceId"),
        header.get("version", "")[:40],
        created,
        _number(header, "firstSequence"),
        _number(header, "lastSequence"),
        newest + 1 if following is None and newest else following,
        _number(header, "bufferSize"),
    )


# -- devices -----------------------------------------------------------------------------------------------


def _devices(root: etree._Element) -> Iterator[Device]:
    holder = _child(root, "Devices")
    for element in () if holder is None else holder:
        if kind := _local(element):
            items = tuple(_items(element))
            yield Device(element.get("id", ""), element.get("name", ""), element.get("uuid", ""), kind, items)


def _items(device: etree._Element) -> Iterator[DataItem]:
    for element in device.iter():
        parent = element.getparent()
        if _local(element) != "DataItem" or parent is None or not (item := element.get("id")):
            continue
        component = parent.getparent() if _local(parent) == "DataItems" else parent
        kind = "" if component is None else component.get("name", "") or _local(component)
        yield DataItem(
            item,
            element.get("name") or None,
            element.get("category", ""),
            element.get("type", ""),
            element.get("subType", ""),
            element.get("representation", "VALUE"),
            element.get("units") or element.get("nativeUnits") or "",
            _rate(element),
            kind,
        )


# -- observations ------------------------------------------------------------------------------------------


def _streams(root: etree._Element) -> Streams:
    observations: list[Observation] = []
    bad: list[BadObservation] = []
    for stream in root.iter():
        for holder in stream if _local(stream) == "ComponentStream" else ():
            category = _CATEGORIES.get(_local(holder))
            for element in holder:
                if not _local(element):
                    continue
                if category is None:
                    bad.append(_bad(element, "bad_observation", f"it stands in {_local(holder)[:80]!r}"))
                    continue
                said = _observation(category, element)
                if isinstance(said, Observation):
                    observations.append(said)
                else:
                    bad.append(said)
    newest = max((observation.sequence for observation in observations), default=0)
    return Streams(_header(root, newest), tuple(observations), tuple(bad))


def _observation(category: str, element: etree._Element) -> Observation | BadObservation:
    item, sequence = element.get("dataItemId", ""), _number(element, "sequence")
    if not item or sequence is None:
        return _bad(element, "bad_observation", "it has no dataItemId or no sequence")
    try:
        at = micros(element.get("timestamp", ""), zone=_UTC)
    except BadTime as error:
        return _bad(element, "bad_time", str(error))
    name = _local(element)
    native = element.get("nativeCode", "")
    return Observation(
        item,
        sequence,
        at,
        category,
        element.get("type", name) if category == "CONDITION" else name,
        (element.text or "").strip(),
        name.upper() if category == "CONDITION" else "",
        element.get("conditionId") or native,
        native,
        _rate(element),
        _number(element, "sampleCount"),
        _cells(element) if name.endswith(("DataSet", "Table")) or _child(element, "Entry") is not None else None,
        element.get("resetTriggered", ""),
    )


def _cells(element: etree._Element) -> tuple[Cell, ...]:
    """Entries by their key; of a table, cells by both keys, joined by a dot."""
    cells: list[Cell] = []
    for entry in element:
        key = entry.get("key")
        if _local(entry) != "Entry" or not key:
            continue
        if entry.get("removed") == "true":
            cells.append(Cell(key, None))
        elif len(entry):
            cells += [Cell(f"{key}.{inner}", (cell.text or "").strip()) for cell in entry if (inner := cell.get("key"))]
        else:
            cells.append(Cell(key, (entry.text or "").strip()))
    return tuple(cells)


def _bad(element: etree._Element, reason: str, words: str) -> BadObservation:
    item = element.get("dataItemId", "")
    payload = etree.tostring(element, with_tail=False)[:100_000]
    return BadObservation(item, payload, reason, f"{_local(element)[:80]} {shown(item)}: {words}")


def _errors(root: etree._Element) -> Iterator[tuple[str, str]]:
    """Of an agent before 2.4 by errorCode; one `Error` alone is how 1.0 says it."""
    for element in root.iter():
        code = element.get("errorCode")
        if code is not None:
            words = (element.text or "").strip() or _words(element)
            yield code[:80], words[:300]


def _words(element: etree._Element) -> str:
    message = _child(element, "ErrorMessage")
    return "" if message is None else (message.text or "").strip()
