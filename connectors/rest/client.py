"""The way to a server: one HTTP client that only asks, our headers, and what comes back, within bounds."""

import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from connectors.base import SourceUnavailable
from connectors.kit.queries import Failed
from connectors.rest.config import RestConfig
from connectors.rest.reader import ANSWER_BYTES_MAX, Answer
from topology.endpoint import BadSecret, header_value

WORDS_MAX = 300
WAIT_MAX_S = 3_600.0
"""Longest that a server may ask us to wait."""


class Client:
    """Connects to nothing as it is made. Raises `SourceUnavailable` where a secret or a certificate cannot be read."""

    def __init__(self, config: RestConfig) -> None:
        self._url = config.url
        headers = {name.encode(): header_value(value) for name, value in config.headers.items()}
        headers.setdefault(b"Accept", b"application/json")
        try:
            if config.auth is not None:
                name, value = config.auth.header_line()
                headers[name.encode()] = value
            verify = ssl.create_default_context(cafile=str(config.ca_file)) if config.ca_file else True
        except (OSError, BadSecret) as error:
            raise SourceUnavailable(f"{config.url}: the secret or certificate cannot be read: {error}") from error
        timeout = httpx2.Timeout(config.timeout_s, connect=config.connect_timeout_s)
        self._client = httpx2.AsyncClient(headers=headers, timeout=timeout, verify=verify)

    async def probe(self) -> None:
        """Whether it is there: any answer shows it. Raises `SourceUnavailable`."""
        try:
            async with self._client.stream("GET", f"{self._url}/"):
                pass
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._away(error) from error

    async def ask(self, url: str) -> Answer:
        """The answer to a GET. Raises `Failed`, and `SourceUnavailable` where nobody answers."""
        try:
            async with self._client.stream("GET", self._url + url) as response:
                content = b""
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > ANSWER_BYTES_MAX:
                        raise Failed(f"GET {url}: the answer is longer than {ANSWER_BYTES_MAX} bytes; ask for less")
        except httpx2.TimeoutException as error:
            if isinstance(error, httpx2.ConnectTimeout):
                raise self._away(error) from error
            raise Failed(f"GET {url}: no answer in time ({type(error).__name__})") from error
        except httpx2.InvalidURL as error:
            raise Failed(f"GET {url}: {error}") from error
        except httpx2.DecodingError as error:
            raise Failed(f"GET {url}: the answer cannot be unpacked: {error}") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._away(error) from error
        self._check(url, response, content)
        return Answer(content, linked(response.headers.get("link", "")))

    def _check(self, url: str, response: httpx2.Response, content: bytes) -> None:
        status, said = response.status_code, " ".join(content[:2_000].decode("utf-8", "replace").split())[:WORDS_MAX]
        if status == 200:
            if content.lstrip()[:1] == b"<":
                raise Failed(f"GET {url}: a page for people instead of JSON (a login?); check auth and url: {said}")
            return
        if status in (401, 403):
            raise Failed(f"GET {url}: {status}, the server does not accept us; check auth: {said}")
        if 300 <= status < 400:
            raise Failed(f"GET {url}: {status}, redirected to {response.headers.get('location')}; check url")
        asked = response.headers.get("retry-after", "")
        raise Failed(f"GET {url}: {status} {said}", wait_s(asked, datetime.now(UTC)))

    def _away(self, error: Exception) -> SourceUnavailable:
        return SourceUnavailable(
            f"{self._url} does not answer ({type(error).__name__} {error}); is it up, is url right?"
        )

    async def close(self) -> None:
        await self._client.aclose()


def wait_s(asked: str, now: datetime) -> float:
    """Seconds that `Retry-After` asks for, bounded; 0 where it asks nothing."""
    asked = asked.strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked[:9]), WAIT_MAX_S)
    try:
        until = parsedate_to_datetime(asked)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(max((until - now).total_seconds(), 0.0), WAIT_MAX_S) if until.tzinfo is not None else 0.0


def linked(header: str) -> str | None:
    """The target of `rel=next` in a `Link` (RFC 8288)."""
    for address, options in re.findall(r"<([^>]*)>((?:\s*;[^,<]*)*)", header):
        if any(
            "next" in value.replace('"', "").split()
            for value in re.findall(r"rel\s*=\s*(\"[^\"]*\"|[^;,\s]+)", options)
        ):
            return str(address)
    return None
