"""An MTConnect agent of the tests' own: a ring buffer, documents grouped by category, streams with heartbeats; and its faults."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

from connectors.base import Said
from connectors.mtconnect.codec import BadDocument, Devices, Streams, parse
from connectors.mtconnect.config import Machine
from connectors.mtconnect.places import mapped
from connectors.mtconnect.readings import Readings, unreadable
from connectors.opcua.codec import moment
from tests.contract.sources import ALSO, PATH
from uns.runtime.ports import free_port
from uns.testing import Codec, connector_contract, patient
from uns.testing.text import TEXTS

BOUNDARY = "a-boundary-of-the-tests"
ITEMS: dict[str, tuple[str, str, str]] = {
    "State": ("Events", "PART_COUNT", "PartCount"),
    "Execution": ("Events", "EXECUTION", "Execution"),
    "Name": ("Events", "MESSAGE", "Message"),
    "Speed": ("Samples", "ROTARY_VELOCITY", "RotaryVelocity"),
    "Alarm": ("Condition", "SYSTEM", "Normal"),
}
"""Name → where it stands, its type, its element."""


class Told(NamedTuple):
    sequence: int
    item: str
    element: str
    at: str
    text: str
    attributes: str


@dataclass(eq=False)
class Agent:
    """`at` is µs. What is broken of it is said by its options, which count from the next document on."""

    buffer: int = 10_000
    device: str = "Mill"
    version: str = "2.2"
    streams: bool = True
    heartbeats: bool = True
    mute: bool = False
    """Answers nothing more, and closes nothing: a link that is half open."""
    garbled: int = 0
    """Parts of streams that come as no XML."""
    cut_after: int | None = None
    """Bytes of a stream after which the link is cut, half-way through a part."""
    chunk: int = 1 << 16
    """Bytes of a write."""
    items: dict[str, tuple[str, str, str]] = field(default_factory=lambda: dict(ITEMS))
    instance: int = 1_700_000_000
    requests: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self._links: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.forget()

    def forget(self) -> None:
        """What a restart does to the buffer."""
        self.ring: deque[Told] = deque(maxlen=self.buffer)
        self.history: list[Told] = []
        self.next = 1
        self.news = asyncio.Event()
        for name, (category, _, _) in self.items.items():
            self.tell(name, time.time_ns() // 1000, "UNAVAILABLE", "Unavailable" if category == "Condition" else None)

    def tell(self, item: str, at: int | str, text: object, element: str | None = None, **attributes: str) -> None:
        """An observation; of a condition `element` is its level."""
        said = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
        when = at if isinstance(at, str) else moment(at).isoformat().replace("+00:00", "Z")
        told = Told(self.next, item, element or self.items[item][2], when, str(text), said)
        self.next += 1
        self.ring.append(told)
        self.history.append(told)
        self.news.set()

    def present(self, at: int) -> list[Told]:
        """What was present at a sequence number: the last of each data item, and of a condition all that are active."""
        present: dict[tuple[str, str], Told] = {}
        for told in self.history[:at]:
            code = told.attributes.partition('nativeCode="')[2].partition('"')[0]
            if self.items[told.item][0] == "Condition":
                ends = told.element in ("Normal", "Unavailable")
                for key in [
                    key for key in present if key[0] == told.item and (key[1] in ("", code) or (ends and not code))
                ]:
                    del present[key]
                if ends and any(key[0] == told.item for key in present):
                    continue
            present[told.item, code] = told
        return list(present.values())

    # -- the server --------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Drops all links."""
        for link in list(self._links):
            link.transport.abort()

    async def restart(self) -> None:
        """A new instance, with an empty buffer."""
        await self.stop()
        self.instance += 1
        self.forget()
        await self.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split(b" ", 2)[1].decode()
                self.requests.append(target)
                await self._answer(target, writer)
        except (OSError, EOFError, asyncio.CancelledError):  # cancelled: Python 3.11 makes an error of it, and logs it
            pass
        finally:
            self._links.discard(writer)
            with suppress(OSError):
                writer.close()

    async def _answer(self, target: str, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(target)
        query, what = dict(parse_qsl(parts.query)), parts.path.rsplit("/", 1)[-1]
        await self._speaks()
        begin = int(query.get("from", self.first))
        if what == "probe":
            await self._whole(writer, self.devices())
        elif what == "current":
            at = int(query.get("at", self.next))
            await self._whole(writer, self.streams_document(self.present(at), self.next))
        elif not self.first <= begin <= self.next:
            words = f"'from' must be from {self.first} to {self.next}"
            await self._whole(writer, self.document("Error", f'<Errors><Error errorCode="OUT_OF_RANGE">{words}</Error></Errors>'), 404)  # fmt: skip
        elif self.streams and "interval" in query:
            await self._stream(writer, begin, int(query["count"]), int(query["interval"]), int(query["heartbeat"]))
        else:
            await self._whole(writer, self.sample(begin, int(query.get("count", 100)))[0])

    async def _speaks(self) -> None:
        while self.mute:  # noqa: ASYNC110 - a test sets it as it likes
            await asyncio.sleep(0.02)

    async def _whole(self, writer: asyncio.StreamWriter, body: bytes, status: int = 200) -> None:
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-type: text/xml\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body
        )
        await writer.drain()

    async def _stream(
        self, writer: asyncio.StreamWriter, begin: int, count: int, interval: int, heartbeat: int
    ) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: multipart/x-mixed-replace;boundary={BOUNDARY}\r\nconnection: close\r\n\r\n".encode())  # fmt: skip
        sent, told_at = 0, time.monotonic()
        while True:
            self.news.clear()
            if begin < self.first:
                raise EOFError("too far behind")
            if begin < self.next or sent == 0 or (self.heartbeats and time.monotonic() - told_at >= heartbeat / 1000):
                body, begin = self.sample(begin, count)
                if self.garbled:
                    self.garbled -= 1
                    body = body[: len(body) // 2]
                head = f"--{BOUNDARY}\r\nContent-type: text/xml\r\nContent-length: {len(body)}\r\n\r\n".encode()
                await self._write(writer, head + body + b"\r\n", sent)
                sent, told_at = sent + len(head + body) + 2, time.monotonic()
            await self._speaks()
            if begin == self.next:
                with suppress(TimeoutError):
                    async with asyncio.timeout(heartbeat / 1000):
                        await self.news.wait()
            await asyncio.sleep(interval / 1000)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes, sent: int) -> None:
        for n in range(0, len(data), self.chunk):
            piece = data[n : n + self.chunk]
            if self.cut_after is not None and sent + n + len(piece) > self.cut_after:
                writer.write(piece[: max(self.cut_after - sent - n, 0)])
                await writer.drain()
                self.cut_after = None
                raise EOFError("cut")
            writer.write(piece)
            await writer.drain()

    # -- documents ---------------------------------------------------------------------------------------------

    @property
    def first(self) -> int:
        return self.ring[0].sequence if self.ring else self.next

    def sample(self, begin: int, count: int) -> tuple[bytes, int]:
        """(document, where it ends)"""
        chosen = [told for told in self.ring if told.sequence >= begin][:count]
        end = chosen[-1].sequence + 1 if chosen else self.next
        return self.streams_document(chosen, end), end

    def streams_document(self, chosen: Iterable[Told], following: int) -> bytes:
        """Grouped by category and, within it, by data item: the order of sequence is lost, as it is in life."""
        groups: dict[str, list[Told]] = {"Samples": [], "Events": [], "Condition": []}
        for told in sorted(chosen, key=lambda told: told.item):
            groups[self.items[told.item][0]].append(told)
        inside = "".join(
            f"<{category}>{''.join(map(self._element, members))}</{category}>" for category, members in groups.items() if members
        )  # fmt: skip
        body = f'<Streams><DeviceStream name="{self.device}" uuid="u-{self.device}">'
        body += f'<ComponentStream component="Path" name="P1" componentId="p1">{inside}</ComponentStream>'
        return self.document("Streams", f"{body}</DeviceStream></Streams>", following)

    def _element(self, told: Told) -> str:
        type_ = f'type="{self.items[told.item][1]}" ' if self.items[told.item][0] == "Condition" else ""
        return (
            f'<{told.element} dataItemId="{self.device}-{told.item}" name="{told.item}" sequence="{told.sequence}" '
            f'timestamp="{told.at}" {type_}{told.attributes}>{escape(told.text)}</{told.element}>'
        )

    def devices(self) -> bytes:
        items = "".join(
            f'<DataItem id="{self.device}-{name}" name="{name}" type="{kind}" category="{category.rstrip("s").upper()}"/>'
            for name, (category, kind, _) in self.items.items()
        )
        device = f'<Device id="d-{self.device}" name="{self.device}" uuid="u-{self.device}"><Components>'
        device += (
            f'<Controller id="c"><Components><Path id="p1" name="P1"><DataItems>{items}</DataItems></Path></Components>'
        )
        return self.document("Devices", f"<Devices>{device}</Controller></Components></Device></Devices>")

    def document(self, kind: str, inside: str, following: int | None = None) -> bytes:
        head = f'version="{self.version}.0.0" instanceId="{self.instance}" bufferSize="{self.buffer}" sender="tests"'
        if following is not None:
            head += f' firstSequence="{self.first}" lastSequence="{self.next - 1}" nextSequence="{following}"'
        now = moment(time.time_ns() // 1000).isoformat().replace("+00:00", "Z")
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><MTConnect{kind} xmlns="urn:mtconnect.org:MTConnect{kind}:{self.version}">'
            f'<Header creationTime="{now}" {head}/>{inside}</MTConnect{kind}>'
        ).encode()


def config(*agents: Agent, **options: Any) -> dict[str, Any]:
    """A configuration that reads these agents: the first as the machine of the contract, others beside it."""
    paths = [str(PATH), *(f"{PATH.parent}/machine-{n}" for n in range(1, len(agents)))]
    entries = [{"url": agent.url, "machines": [{"path": path}]} for agent, path in zip(agents, paths, strict=True)]
    return {"agents": entries, "interval_ms": 10, "heartbeat_s": 0.3, "timeout_s": patient(1.5), **options}


class MtConnectSource:
    path = PATH
    also = ALSO
    asks_again = True  # from the agent's buffer

    def __init__(self, agent: Agent) -> None:
        self.agent, self.config = agent, config(agent)

    async def say(self, tag: str, at: int, value: object) -> None:
        self.agent.tell(tag, at, value)

    async def babble(self) -> None:
        """A part that is no XML, a time that is none, a count that is no number."""
        self.agent.garbled = 1
        self.agent.tell("Speed", "yesterday", 1.5)
        self.agent.tell("State", time.time_ns() // 1000, "many")

    async def vanish(self) -> None:
        await self.agent.stop()


@asynccontextmanager
async def agent(**options: Any) -> AsyncIterator[Agent]:
    """An agent that serves."""
    serving = Agent(**options)
    await serving.start()
    try:
        yield serving
    finally:
        await serving.stop()


@asynccontextmanager
async def mtconnect() -> AsyncIterator[MtConnectSource]:
    async with agent() as serving:
        yield MtConnectSource(serving)


def _said(said: bytes | list[tuple[str, str]]) -> list[Said]:
    """What the pure part makes of any bytes, or of a document with these (category, element)."""
    known = Agent()
    readings = Readings(known.url)
    devices = parse(known.devices())
    assert isinstance(devices, Devices)
    readings.mapped(mapped([Machine(path=str(PATH))], devices.devices).places)
    if not isinstance(said, bytes):
        inside = "".join(f"<{category}>{element}</{category}>" for category, element in said)
        said = known.document("Streams", f"<Streams><ComponentStream>{inside}</ComponentStream></Streams>", 9).replace(
            b"\0", b""
        )
    try:
        document = parse(said)
    except BadDocument as bad:
        return [unreadable(known.url, said, bad)]
    assert isinstance(document, Streams)
    things = [thing for one in document.observations for thing in (*readings.said(one), *readings.unknown(one))]
    return things + [thing for one in document.bad for thing in readings.bad(one)]


_ATTRIBUTES = st.sampled_from(["dataItemId", "sequence", "timestamp", "nativeCode", "sampleRate", "sampleCount", "resetTriggered", "removed", "key"])  # fmt: skip
_ATTRIBUTE_VALUES = st.sampled_from(["Mill-State", "Mill-Alarm", "Mill-Speed", "1", "2026-11-23T06:00:00Z", "1e-9", "true", "DAY"])  # fmt: skip
OBSERVATIONS = st.builds(
    lambda element, attributes, text: f"<{element} {' '.join(f'{k}={quoteattr(v)}' for k, v in attributes.items())}>{text}</{element}>",
    st.sampled_from(["PartCount", "Fault", "Normal", "Weird", "RotaryVelocityTimeSeries", "VariableDataSet", "ToolTable", "Entry"]),
    st.dictionaries(_ATTRIBUTES, _ATTRIBUTE_VALUES | TEXTS.map(lambda text: text.encode("utf-8", "replace").decode()), max_size=7),
    st.sampled_from(["UNAVAILABLE", "1 2 3", "1e999", "99999999999999999999", "", '<Entry key="a">1</Entry>', '<Entry key="b" removed="true"/>', "&lt;"]),
)  # fmt: skip
CONTRACT = connector_contract(
    "mtconnect",
    lambda _request: mtconnect(),
    Codec(st.binary(max_size=60) | st.lists(st.tuples(st.sampled_from(["Samples", "Events", "Condition"]), OBSERVATIONS), max_size=5), _said),
    lambda port: {"agents": [{"url": f"http://127.0.0.1:{port}", "machines": [{"path": str(PATH)}]}]},
)  # fmt: skip
