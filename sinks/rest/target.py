"""The way to a target: one HTTP client, our headers, and what comes back, within bounds."""

import json
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx2

from sinks.base import Retryable
from sinks.kit.answer import Answer, Verdict, judge
from sinks.kit.retry_after import retry_after_s
from sinks.rest.auth import signing
from sinks.rest.auth.options import origin
from sinks.rest.auth.signing import Outgoing
from sinks.rest.config import RestConfig
from topology.endpoint import BadSecret, header_value

ANSWER_BYTES_MAX = 16_000_000
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
SIGNED_MAX = 2
"""So often one request is signed and sent, where what it was signed with had ended."""


Heard = Callable[[str, Answer, Verdict, str], None]


class Refused(Exception):
    """Of one record: it goes to quarantine."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


class Failed(Exception):
    """The target broke over one request, or said nothing: it may be this record's fault, or the target's."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


class Unproven(Exception):
    """A success that proves nothing: done or not, nobody knows."""


class Target:
    """Raises `Retryable` where every request would meet the same."""

    def __init__(self, name: str, config: RestConfig, heard: Heard | None = None) -> None:
        """`heard` gets each answer that came, with its verdict. Raises `Retryable`; connects to nothing."""
        self._name, self._base_url, self._heard = name, config.base_url, heard
        headers = {key.encode(): header_value(value) for key, value in config.headers.items()}
        try:
            self._signing = signing(config.auth, config.csrf, config.base_url)
            verify = ssl.create_default_context(cafile=str(config.ca_file)) if config.ca_file else True
        except (OSError, BadSecret) as error:
            raise Retryable(f"sink {name}: the secret or certificate cannot be read: {error}") from error
        self._client = httpx2.AsyncClient(headers=headers, timeout=config.timeout_s, verify=verify)

    async def ask(self, method: str, url: str, success: str | None, values: dict[str, Any], body: Any = None, key: str | None = None, headers: Mapping[str, str] = NO_HEADERS) -> Answer:  # fmt: skip
        """An answer that is proof. Raises `Refused`, `Failed`, `Unproven` and `Retryable`, by what else it is."""
        answer = await self.send(method, url, body, key, headers)
        verdict, why = judge(answer, success, values)
        words = f"{method} {self._base_url}{url}: {why}"
        if self._heard is not None:
            self._heard(f"{method} {self._base_url}{url}", answer, verdict, why)
        match verdict:
            case Verdict.BUSY:
                wait_s = retry_after_s(answer.headers, datetime.now(UTC))
                raise Retryable(f"sink {self._name}: {words}", wait_s=wait_s or 0.0)
            case Verdict.FAILED:
                raise Failed(f"http_{answer.status}", words)
            case Verdict.REFUSED:
                raise Refused(f"http_{answer.status}", words)
            case Verdict.UNPROVEN:
                raise Unproven(words)
        return answer

    async def send(self, method: str, url: str, body: Any, key: str | None, more: Mapping[str, str] = NO_HEADERS) -> Answer:  # fmt: skip
        """Whatever is answered. Raises `Refused` for what no request can say, `Failed`, `Retryable`."""
        where = f"{method} {self._base_url}{url}"
        # Ids may hold letters that a header may not.
        known_by = quote(key, safe="/#@:~ ") if key is not None else ""
        headers = {name: header_value(value) for name, value in more.items()}
        if key is not None:
            headers["Idempotency-Key"] = known_by.encode()
        try:
            content = b"" if body is None else _json(body)
        except (ValueError, RecursionError) as error:
            raise Refused("unfit", f"{where}: the request cannot be made: {error}") from error
        if (
            content
            and "content-type" not in self._client.headers
            and not any(n.lower() == "content-type" for n in more)
        ):
            headers["Content-Type"] = b"application/json"
        outgoing = Outgoing(method, self._base_url + url, content, known_by)
        for _ in range(SIGNED_MAX):
            try:
                signed = await self._signing.sign(outgoing, self._own)
                answer = await self._exchange(outgoing, {**headers, **signed.headers}, where, signed.url)
                why = self._signing.stale(signed, answer)
            except Retryable as error:
                raise Retryable(f"sink {self._name}: {error}", wait_s=error.wait_s) from error
            if why is None:
                return answer
        raise Retryable(f"sink {self._name}: {where}: {why}: {answer.words}")

    async def _own(self, request: Outgoing, headers: Mapping[str, bytes]) -> Answer:
        """A request of the signing's own. Raises `Retryable`."""
        try:
            return await self._exchange(request, headers, f"{request.method} {origin(request.url)}")
        except (Failed, Refused) as error:
            raise Retryable(str(error)) from error

    async def _exchange(self, outgoing: Outgoing, headers: Mapping[str, bytes], where: str, url: str | None = None) -> Answer:  # fmt: skip
        """Raises `Refused`, `Failed`, `Retryable`."""
        raw = [(name.encode(), value) for name, value in headers.items()]
        try:
            request = self._client.build_request(
                outgoing.method, url or outgoing.url, content=outgoing.content or None, headers=raw
            )
        except (ValueError, httpx2.InvalidURL) as error:
            raise Refused("unfit", f"{where}: the request cannot be made: {error}") from error
        try:
            answer = await self._client.send(request, stream=True)
            try:
                content = b""
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > ANSWER_BYTES_MAX:
                        raise Failed("long_answer", f"{where}: the answer is longer than {ANSWER_BYTES_MAX} bytes")
            finally:
                await answer.aclose()
        except httpx2.LocalProtocolError as error:  # its words may repeat a header, and with it the secret
            raise Refused("unfit", f"{where}: HTTP cannot say this request") from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise Retryable(f"{where}: {type(error).__name__} {error}") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise Failed("no_answer", f"{where}: {type(error).__name__} {error}") from error
        return Answer(
            answer.status_code,
            {name.lower(): value for name, value in answer.headers.items()},
            content.decode("utf-8", errors="replace"),
        )

    def below(self, address: str, beside: str) -> str:
        """What an address that the target names is below `base_url`; `beside` is the url it was named at. Raises
        `Refused` where it leads to another host: our secret would go there."""
        whole = urljoin(self._base_url + beside, address)
        if (wrong := urlsplit(whole)[:2] != urlsplit(self._base_url)[:2]) or not whole.startswith(self._base_url):
            raise Refused("lookup", f"the next page is {'at another host' if wrong else 'not below base_url'}: {whole}")
        return whole.removeprefix(self._base_url)

    async def close(self) -> None:
        await self._client.aclose()


def _json(body: Any) -> bytes:
    """Raises `ValueError` for what JSON has no word for, `RecursionError`."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
