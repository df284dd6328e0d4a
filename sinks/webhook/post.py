"""The way to a receiver: one HTTP client, and what an answer means."""

import re
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx2

from sinks.base import Retryable
from sinks.kit.answer import LATER, Answer
from sinks.kit.retry_after import retry_after_s
from sinks.webhook.config import WebhookConfig
from sinks.webhook.event import Body
from sinks.webhook.signature import headers
from topology.endpoint import BadSecret, header_value

ANSWER_BYTES_MAX = 64_000
"""What is read of an answer: its words are for people."""
GONE_S = 3_600.0
AWAY = (401, 403, 404, 405, 407)
"""Said to every event: the receiver does not know us, or is not there."""
_PAGE = re.compile(r"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
"""A receiver says nothing of the kind; a proxy before it does, with a 200."""
Heard = Callable[[Body, Answer, str], None]


class Refused(Exception):
    """Of one event: it goes to quarantine."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


class Failed(Refused):
    """The receiver broke over it, or said nothing: it may be this event's fault, or the receiver's."""


class Post:
    """Raises `Retryable` where every event would meet the same."""

    def __init__(self, name: str, config: WebhookConfig, heard: Heard | None = None) -> None:
        """Raises `Retryable`; connects to nothing. `heard` gets each answer, with how it was judged."""
        self._name, self._url, self._heard = name, config.url, heard
        more = {key.encode(): header_value(value) for key, value in config.headers.items()}
        basic = None
        try:
            self._keys = config.keys()
            if config.auth is not None and config.auth.kind == "basic":
                basic = httpx2.BasicAuth(config.auth.username or "", config.auth.value())
            elif config.auth is not None:
                key, line = config.auth.header_line()
                more[key.encode()] = line
            verify = ssl.create_default_context(cafile=str(config.ca_file)) if config.ca_file else True
        except (OSError, BadSecret) as error:
            raise Retryable(f"sink {name}: a secret or certificate cannot be read: {error}") from error
        self._client = httpx2.AsyncClient(headers=more, auth=basic, timeout=config.timeout_s, verify=verify)

    async def send(self, body: Body) -> None:
        """Returns once it is taken. Raises `Failed`, `Refused` and `Retryable`."""
        answer = await self._answer(body)
        where, status = f"POST {self._url}", answer.status
        if 200 <= status < 300:
            if _PAGE.match(answer.text):
                self._tell(body, answer, "failed")
                raise Failed(
                    f"http_{status}", f"{where}: a page for people (a login?); check url and auth: {answer.words}"
                )
            self._tell(body, answer, "taken")
            return
        if status == 410:
            self._tell(body, answer, "gone")
            words = f"{where}: {answer.words}: the receiver wants no more events; take the sink out, or correct url"
            raise Retryable(f"sink {self._name}: {words}", wait_s=GONE_S)
        if status == 429 or (status >= 300 and "retry-after" in answer.headers):
            self._tell(body, answer, "busy")
            wait_s = retry_after_s(answer.headers, datetime.now(UTC))
            raise Retryable(f"sink {self._name}: {where}: {answer.words}", wait_s=wait_s or 0.0)
        if status >= 500 or status < 400 or status in (*LATER, *AWAY):
            self._tell(body, answer, "failed")
            raise Failed(f"http_{status}", f"{where}: {answer.words}{_advice(status)}")
        self._tell(body, answer, "refused")
        raise Refused(f"http_{status}", f"{where}: {answer.words}")

    async def _answer(self, body: Body) -> Answer:
        where = f"POST {self._url}"
        signed = headers(self._keys, body.identity, int(time.time()), body.content)
        try:
            request = self._client.build_request(
                "POST", self._url, content=body.content, headers={**body.headers, **signed}
            )
            answer = await self._client.send(request, stream=True)
            try:
                content = b""
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > ANSWER_BYTES_MAX:
                        break  # a status is an answer, however much is said with it
            finally:
                await answer.aclose()
        except (ValueError, httpx2.InvalidURL, httpx2.LocalProtocolError) as error:  # their words may repeat a header
            raise Refused("unfit", f"{where}: HTTP cannot say this request: {type(error).__name__}") from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise Retryable(f"sink {self._name}: {where}: {type(error).__name__} {error}") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise Failed("no_answer", f"{where}: {type(error).__name__} {error}") from error
        named = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, named, content.decode("utf-8", errors="replace"))

    def _tell(self, body: Body, answer: Answer, judged: str) -> None:
        if self._heard is not None:
            self._heard(body, answer, judged)

    async def close(self) -> None:
        await self._client.aclose()


def _advice(status: int) -> str:
    if status in (401, 403, 407):
        return "; does the receiver know our secret, and auth?"
    if status in (404, 405) or 300 <= status < 400:
        return "; check url: redirects are not followed"
    return ""
