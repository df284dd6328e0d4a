"""The way to a target over HTTP: options, one client, our secret, and what comes back, within bounds."""

import gzip
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic import Field, field_validator, model_validator

from sinks.base import Retryable, SinkConfig
from sinks.kit.batches import Outcome
from sinks.kit.retry_after import retry_after_s
from topology.endpoint import BadSecret, Login, SecretText, Trust, address, header_value, secret

ANSWER_BYTES_MAX = 4_000_000
WORDS_MAX = 500
GZIP_LEVEL = 1
"""The target unpacks all of it, and on a plant's network the CPU is dearer than the last tenth."""


class HttpConfig(Login, Trust, SinkConfig):
    """How a target is reached, and who we are there."""

    url: str = Field(description="http(s)://host[:port][/prefix]", examples=["https://influxdb.example.com:8086"])
    token: SecretText | None = Field(None, description="token; prefer the file", examples=["${TOKEN}"])
    token_file: FilePath | None = Field(None, description="file with the token", examples=["/run/secrets/token"])
    timeout_s: float = Field(30.0, gt=0, description="longest wait for an answer")

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        parts = urlsplit(address(text, ("http", "https"), "http://host:port or https://host"))
        if parts.query or parts.fragment or text[-1] in "?#":
            raise ValueError("url takes no ? and no #: the paths of the target are appended to it")
        return text.rstrip("/")

    @model_validator(mode="after")
    def _one_of_us(self) -> "HttpConfig":
        if self.token is not None and self.token_file is not None:
            raise ValueError("give token_file or token, not both")
        if self.has_token and self.username is not None:
            raise ValueError("give a username or a token, not both")
        if self.username is None and (self.password is not None or self.password_file is not None):
            raise ValueError("a password needs a username")
        if self.username is not None and (":" in self.username or not self.username.isprintable()):
            raise ValueError("username: no colon and no control character can stand in it")
        if self.token is not None:
            header_value(secret(self.token, None) or "")
        return self

    @property
    def has_token(self) -> bool:
        return self.token is not None or self.token_file is not None


@dataclass(frozen=True)
class Answer:
    """Status, headers with small letters, text."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def body(self) -> Any:
        """The JSON value; None where the text is none."""
        try:
            return json.loads(self.text, strict=False)  # some quote a line as it came, control characters and all
        except (ValueError, RecursionError):
            return None

    @property
    def words(self) -> str:
        """What the target says, on one line."""
        return f"{self.status} {' '.join(self.text.split())[:WORDS_MAX]}".strip()


class NoAnswer(Exception):
    """The request may have been done: nothing, or only a part of an answer came back."""


class HttpTarget:
    """Connects to nothing until it is asked. Raises `Retryable` where every request would meet the same."""

    def __init__(self, name: str, config: HttpConfig, scheme: str = "Bearer", headers: Mapping[str, str] | None = None) -> None:  # fmt: skip
        """`scheme`: the word before the token. Raises `Retryable` when a secret cannot be read."""
        self.name, self._url = name, config.url
        own = {key.encode(): value.encode("latin-1") for key, value in (headers or {}).items()}
        basic = None
        try:
            if config.has_token:
                carried = header_value(secret(config.token, config.token_file) or "")
                own[b"Authorization"] = scheme.encode() + b" " + carried
            elif config.username is not None:
                basic = httpx2.BasicAuth(config.username, config.secret or "")
            verify = ssl.create_default_context(cafile=str(config.ca_file)) if config.ca_file else True
        except (OSError, BadSecret) as error:
            raise Retryable(f"sink {name}: the secret or certificate cannot be read: {error}") from error
        self._client = httpx2.AsyncClient(headers=own, auth=basic, timeout=config.timeout_s, verify=verify)

    async def post(self, path: str, query: Mapping[str, str], content: bytes, media_type: str, packed: bool = True) -> Answer:  # fmt: skip
        """What is answered to a body, gzipped where `packed`. Raises `NoAnswer` and `Retryable`."""
        headers = {"Content-Type": media_type, **({"Content-Encoding": "gzip"} if packed else {})}
        body = gzip.compress(content, GZIP_LEVEL, mtime=0) if packed else content
        return await self.ask("POST", path, query, content=body, headers=headers)

    async def ask(self, method: str, path: str, query: Mapping[str, Any], **more: Any) -> Answer:
        """Raises `NoAnswer` and `Retryable`."""
        where = self.where(method, path)
        try:
            request = self._client.build_request(method, self._url + path, params=query, **more)
            answer = await self._client.send(request, stream=True)
            try:
                content = b""
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > ANSWER_BYTES_MAX:
                        raise NoAnswer(f"{where}: the answer is longer than {ANSWER_BYTES_MAX} bytes")
            finally:
                await answer.aclose()
        except httpx2.LocalProtocolError as error:  # its words may repeat a header, and with it the secret
            raise Retryable(f"sink {self.name}: {where}: HTTP cannot say this request") from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise Retryable(f"sink {self.name}: {where}: {type(error).__name__} {error}") from error
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise NoAnswer(f"{where}: {type(error).__name__} {error}".strip()) from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, headers, content.decode("utf-8", errors="replace"))

    async def lines(self, path: str, query: Mapping[str, Any]) -> AsyncIterator[str]:
        """The lines of a long answer to a GET, as they come. Raises `Retryable`."""
        where = f"sink {self.name}: {self.where('GET', path)}"
        try:
            async with self._client.stream("GET", self._url + path, params=query) as answer:
                if answer.status_code != 200:
                    told = Answer(answer.status_code, text=(await answer.aread())[:WORDS_MAX].decode(errors="replace"))
                    raise Retryable(f"{where}: {told.words}; may this user read?")
                async for line in answer.aiter_lines():
                    yield line
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise Retryable(f"{where}: {type(error).__name__} {error}") from error

    def where(self, method: str, path: str) -> str:
        return f"{method} {self._url}{path}"

    def refuse_all(self, method: str, path: str, answer: Answer) -> None:
        """Raises `Retryable` for an answer that says nothing of what was sent: who we are, how busy it is, that this is
        another service."""
        where, status = f"sink {self.name}: {self.where(method, path)}", answer.status
        if status == 429 or (status >= 300 and "retry-after" in answer.headers):
            wait_s = retry_after_s(answer.headers, datetime.now(UTC))
            raise Retryable(f"{where}: {answer.words}", wait_s=wait_s or 0.0)
        if status in (401, 403):
            raise Retryable(
                f"{where}: {status}, the target does not accept us; check the user or the token, and what it may write: {answer.words}"
            )
        if 300 <= status < 400:
            raise Retryable(f"{where}: {status}, redirected to {answer.headers.get('location')}; check url")
        if status < 200:
            raise Retryable(f"{where}: {answer.words}")

    def broke(self, method: str, path: str, outcome: Outcome) -> Outcome:
        """The outcome with words that say where."""
        return replace(outcome, words=f"sink {self.name}: {self.where(method, path)}: {outcome.words}")

    async def close(self) -> None:
        await self._client.aclose()
