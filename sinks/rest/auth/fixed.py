"""A secret that is sent as it is: bearer token, header of its own, user and password."""

from base64 import b64encode

from sinks.base import Retryable
from sinks.rest.answer import Answer
from sinks.rest.auth.options import Basic, Bearer, Header
from sinks.rest.auth.signing import Ask, Outgoing, Signed
from topology.endpoint import BadSecret, header_value


class Fixed:
    """Reads its secret as it is made, and again when the target refuses it: somebody may have changed the file."""

    def __init__(self, options: Bearer | Basic | Header) -> None:
        """Raises `OSError`, `BadSecret`."""
        self._options = options
        self._signed = self._read()

    async def sign(self, request: Outgoing, ask: Ask) -> Signed:
        return self._signed

    def stale(self, signed: Signed, answer: Answer) -> str | None:
        if answer.status != 401:
            return None
        try:
            self._signed = self._read()
        except (OSError, BadSecret) as error:
            raise Retryable(f"the secret was refused, and cannot be read again: {error}") from error
        return "the secret is refused, and so is the one that its file has now" if self._signed != signed else None

    def _read(self) -> Signed:
        options = self._options
        if isinstance(options, Basic):
            pair = f"{options.username}:{options.value()}".encode()
            return Signed({"Authorization": b"Basic " + b64encode(pair)})
        carried = header_value(options.value())
        if isinstance(options, Bearer):
            return Signed({"Authorization": b"Bearer " + carried})
        return Signed({options.header: options.prefix.encode("latin-1") + carried})
