"""A signature over each request (HMAC, RFC 2104)."""

import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from urllib.parse import quote, urlencode, urlsplit

from sinks.base import Retryable
from sinks.kit.answer import Answer
from sinks.kit.template import fill
from sinks.rest.auth.options import Hmac
from sinks.rest.auth.signing import Ask, Outgoing, Signed
from topology.endpoint import BadSecret


class Signature:
    """Reads its key as it is made, and again when the target refuses it."""

    def __init__(self, options: Hmac, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970. Raises `OSError`, `BadSecret`."""
        self._options, self._clock = options, clock
        self._key = self._read()

    async def sign(self, request: Outgoing, ask: Ask) -> Signed:
        options, now = self._options, self._clock()
        times = {"timestamp_s": int(now), "timestamp_ms": int(now * 1000), "id": request.key}
        url = request.url
        if options.query:
            added = urlencode({name: fill(value, times) for name, value in options.query.items()}, quote_via=quote)
            url += ("&" if urlsplit(url).query else "?") + added
        values = {
            **times,
            "method": request.method,
            "url": url.partition("://")[2],
            "path": urlsplit(url).path,
            "body": request.content.decode(),
        }
        digest = hmac.digest(self._key, str(fill(options.signs, values)).encode(), options.algorithm)
        written = digest.hex().encode() if options.encoding == "hex" else b64encode(digest)
        headers = {name: str(fill(value, values)).encode("latin-1", "replace") for name, value in options.headers.items()}  # fmt: skip
        return Signed({**headers, options.header: options.prefix.encode("latin-1") + written}, url)

    def stale(self, signed: Signed, answer: Answer) -> str | None:
        if answer.status not in (401, 403):
            return None
        before = self._key
        try:
            self._key = self._read()
        except (OSError, BadSecret) as error:
            raise Retryable(f"the signature was refused, and its secret cannot be read again: {error}") from error
        return (
            "the signature is refused, and so is the one by the secret that its file has now"
            if self._key != before
            else None
        )

    def _read(self) -> bytes:
        text, form = self._options.value(), self._options.secret_encoding
        if not text:
            raise BadSecret("the secret is empty")
        try:
            match form:
                case "hex":
                    return bytes.fromhex(text)
                case "base64":
                    return b64decode(text.removeprefix("whsec_"), validate=True)
            return text.encode()
        except ValueError:
            raise BadSecret(f"the secret is not written in {form}, as secret_encoding says") from None
