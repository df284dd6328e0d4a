"""HTTP to one agent: documents in one piece, and the stream of them. What means that the agent is away is caught by name."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx2

from connectors.base import Malformed, SourceUnavailable
from connectors.mtconnect.codec import DOCUMENT_MAX_BYTES, BadDocument, Devices, Errors, Streams, header_of, parse
from connectors.mtconnect.config import AgentConfig
from connectors.mtconnect.multipart import BadStream, Multipart, boundary_of
from connectors.mtconnect.readings import unreadable
from topology.endpoint import BadSecret

DOCUMENT_S = 60.0
"""Longest time that one document takes to come."""
WORDS_MAX = 300
Params = Mapping[str, str]


class Refused(Exception):
    """The agent answers with an error document: why, in its words."""

    def __init__(self, codes: tuple[str, ...], words: str) -> None:
        super().__init__(words)
        self.codes = codes


class NoStream(Exception):
    """The agent answers a request for a stream with one document."""

    def __init__(self, document: bytes) -> None:
        super().__init__("the agent does not stream")
        self.document = document


class Silent(SourceUnavailable):
    """The stream is open, and neither news nor a heartbeat comes."""


class Client:
    """One connection at a time; `open` makes it anew."""

    def __init__(self, config: AgentConfig, timeout_s: float) -> None:
        self._config, self._timeout_s = config, timeout_s
        self._http: httpx2.AsyncClient | None = None

    async def open(self) -> None:
        """Connects to nothing yet. Raises `SourceUnavailable` where credentials or certificates cannot be read."""
        await self.close()
        config = self._config
        try:
            auth = None if config.username is None else httpx2.BasicAuth(config.username, config.secret or "")
            context = _context(config)
        except (OSError, BadSecret) as error:  # an SSLError is an OSError, too
            raise SourceUnavailable(f"{config.url}: credentials or certificates cannot be read: {error}") from error
        # Agents compress nothing; asked for as it is, a document cannot be larger in memory than on the wire.
        headers = {"accept": "text/xml, application/xml, multipart/*", "accept-encoding": "identity"}
        self._http = httpx2.AsyncClient(headers=headers, auth=auth, timeout=self._timeout_s, verify=context)

    async def close(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def devices(self) -> Devices:
        """What the agent has. Raises `SourceUnavailable` and `Refused`."""
        where = f"{self._config.url}/probe"
        document = _document(await self.get("probe", {}), where)
        if isinstance(document, Devices):
            return document
        raise refusal(document) or SourceUnavailable(f"{where}: no document of devices; check url")

    async def present(self, device: str | None, at: int | None = None) -> tuple[Streams, Malformed | None]:
        """The present, or what was present at a sequence number. What cannot be read is the second; then the first is what
        the agent says of its buffer alone. Raises `SourceUnavailable` and `Refused`."""
        where = f"{self._config.url}/current"
        data = await self.get(requested(device, "current"), {} if at is None else {"at": str(at)})
        try:
            document = parse(data)
        except BadDocument as error:
            if (header := header_of(data)) is None:
                raise SourceUnavailable(f"{where}: {error}") from None
            return Streams(header, (), ()), unreadable(where, data, error)
        if isinstance(document, Streams):
            return document, None
        raise refusal(document) or SourceUnavailable(f"{where}: no document of streams; check url")

    async def get(self, what: str, params: Params) -> bytes:
        """One document. Raises `SourceUnavailable` and `Refused`."""
        async with self._answer(what, params, self._timeout_s) as answer:
            return await self._body(what, answer)

    async def parts(self, what: str, params: Params, silence_s: float) -> AsyncGenerator[bytes, None]:
        """Documents as they come. Raises `SourceUnavailable`, `Silent` after `silence_s` without any, `Refused`, `NoStream`."""
        async with self._answer(what, params, silence_s) as answer:
            boundary = boundary_of(answer.headers.get("content-type", ""))
            if boundary is None:
                raise NoStream(await self._body(what, answer))
            parts, heard = Multipart(boundary, DOCUMENT_MAX_BYTES), time.monotonic()
            try:
                async for chunk in answer.aiter_raw():
                    for part in parts.feed(chunk):
                        yield part
                        heard = time.monotonic()
                    if time.monotonic() - heard > DOCUMENT_S:
                        raise Silent(f"{self._config.url}: no document is whole within {DOCUMENT_S:g} s")
            except BadStream as error:
                raise SourceUnavailable(f"{self._config.url}/{what}: {error}") from None
        raise SourceUnavailable(f"{self._config.url}: the agent has ended the stream")

    @asynccontextmanager
    async def _answer(self, what: str, params: Params, silence_s: float) -> AsyncIterator[httpx2.Response]:
        if self._http is None:
            raise SourceUnavailable(f"{self._config.url}: not open")
        where, limits = f"{self._config.url}/{what}", httpx2.Timeout(self._timeout_s, read=silence_s)
        try:
            async with self._http.stream("GET", where, params=dict(params), timeout=limits) as answer:
                if answer.status_code != 200:
                    await self._refused(what, answer)
                if (encoding := answer.headers.get("content-encoding", "identity")) != "identity":
                    raise SourceUnavailable(
                        f"{where}: answered with encoding {encoding[:40]!r}, which was not asked for"
                    )
                yield answer
        except httpx2.ReadTimeout as error:
            raise Silent(f"{where}: nothing comes for {silence_s:g} s") from error
        except httpx2.LocalProtocolError:  # its words may repeat a header, and with it the secret
            raise SourceUnavailable(f"{where}: HTTP cannot say this request; check username and password") from None
        except httpx2.TransportError as error:
            raise SourceUnavailable(
                f"MTConnect agent {where} cannot be reached ({type(error).__name__} {error}); is it up, is the address right?"
            ) from error

    async def _refused(self, what: str, answer: httpx2.Response) -> None:
        where = f"{self._config.url}/{what}"
        if answer.status_code in (401, 403):
            raise SourceUnavailable(f"{where}: {answer.status_code}, the agent does not accept us; check username")
        if answer.is_redirect:
            to = answer.headers.get("location", "")[:WORDS_MAX]
            raise SourceUnavailable(f"{where}: {answer.status_code}, redirected to {to!r}; check url")
        try:
            document = parse(await self._body(what, answer))
        except BadDocument:
            raise SourceUnavailable(f"{where}: {answer.status_code}, and no words of an agent; check url") from None
        raise refusal(document) or SourceUnavailable(f"{where}: {answer.status_code}")

    async def _body(self, what: str, answer: httpx2.Response) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(DOCUMENT_S):
                async for chunk in answer.aiter_raw():
                    body += chunk
                    if len(body) > DOCUMENT_MAX_BYTES:
                        raise SourceUnavailable(f"{self._config.url}/{what}: larger than {DOCUMENT_MAX_BYTES} bytes")
        except TimeoutError:
            raise SourceUnavailable(f"{self._config.url}/{what}: not whole within {DOCUMENT_S:g} s") from None
        return bytes(body)


def _context(config: AgentConfig) -> ssl.SSLContext:
    """Whom we trust; nobody where there is no TLS. Raises `OSError`."""
    if config.url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)


def requested(device: str | None, what: str) -> str:
    """The path of a request, for one device or for all."""
    return what if device is None else f"{quote(device, safe='')}/{what}"


def _document(data: bytes, where: str) -> Devices | Streams | Errors:
    try:
        return parse(data)
    except BadDocument as bad:
        raise SourceUnavailable(f"{where}: {bad}") from None


def refusal(document: object) -> Refused | None:
    """What an error document says; None of any other."""
    if not isinstance(document, Errors):
        return None
    words = "; ".join(f"{code}: {text}" for code, text in document.errors) or "an error without words"
    return Refused(tuple(code for code, _ in document.errors), words[:WORDS_MAX])
