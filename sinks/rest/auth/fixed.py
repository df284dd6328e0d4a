"""A secret that is sent as it is: bearer token, header of its own, user and password."""

from base64 import b64encode
from dataclasses import replace
from urllib.parse import urlencode

from sinks.base import Retryable
from sinks.kit.answer import Answer
from sinks.rest.auth.options import Basic, Bearer, Header, Query
from sinks.rest.auth.signing import Ask, Outgoing, Signed
from topology.endpoint import BadSecret, header_value


class Fixed:
    """Reads its secret as it is made, and again when the target refuses it: somebody may have changed the file."""

    def __init__(self, options: Bearer | Basic | Header | Query) -> None:
        """Raises `OSError`, `BadSecret`."""
        self._options = options
        self._signed = self._read()

    async def sign(self, request: Outgoing, ask: Ask) -> Signed:
        parameter = self._signed.token
        if not parameter:
            return self._signed
        return replace(self._signed, url=f"{request.url}{'&' if '?' in request.url else '?'}{parameter}")

    def stale(self, signed: Signed, answer: Answer) -> str | None:
        if answer.status != 401:
            return None
        try:
            self._signed = self._read()
        except (OSError, BadSecret) as error:
            raise Retryable(f"the secret was refused, and cannot be read again: {error}") from error
        changed = (self._signed.headers, self._signed.token) != (signed.headers, signed.token)
        return "the secret is refused, and so is the one that its file has now" if changed else None

    def _read(self) -> Signed:
        options = self._options
        if isinstance(options, Basic):
            pair = f"{options.username}:{options.value()}".encode()
            return Signed({"Authorization": b"Basic " + b64encode(pair)})
        carried = header_value(options.value())
        if isinstance(options, Query):
            return Signed(token=urlencode({options.parameter: options.value()}))
        if isinstance(options, Bearer):
            return Signed({"Authorization": b"Bearer " + carried})
        return Signed({options.header: options.prefix.encode("latin-1") + carried})
