"""A CSRF token, as SAP Gateway wants it: asked for by a GET, carried by what changes something."""

from dataclasses import replace

from sinks.kit.answer import Answer
from sinks.rest.auth.options import CsrfOptions
from sinks.rest.auth.signing import Ask, NotAccepted, Outgoing, Signed, Signing
from sinks.rest.auth.token import Fetched, Token
from topology.endpoint import BadSecret, header_value

_READING = ("GET", "HEAD", "OPTIONS")


class CsrfToken:
    """Beside another kind, which says who we are. The cookies that belong to the token are kept by the client."""

    def __init__(self, options: CsrfOptions, inner: Signing, base_url: str) -> None:
        self._header, self._url, self._inner = options.header.lower(), base_url + options.url, inner
        self._token = Token(self._fetch)

    async def sign(self, request: Outgoing, ask: Ask) -> Signed:
        signed = await self._inner.sign(request, ask)
        if request.method in _READING:
            return signed
        token = (await self._token.get(ask)).encode("latin-1")
        return replace(signed, headers={**signed.headers, self._header: token})

    def stale(self, signed: Signed, answer: Answer) -> str | None:
        why = self._inner.stale(signed, answer)
        token = signed.headers.get(self._header, b"").decode("latin-1")
        if answer.status == 403 and answer.headers.get(self._header, "").lower() == "required":
            why = f"a {self._header} that was just fetched is refused; check csrf.url, and that cookies come through"
        if why is not None:  # a new session needs a new token, too
            self._token.refused(token)
        else:
            self._token.accepted(token)
        return why

    async def _fetch(self, ask: Ask) -> Fetched:
        for last in (False, True):
            request = Outgoing("GET", self._url)
            signed = await self._inner.sign(request, ask)
            answer = await ask(request, {**signed.headers, self._header: b"fetch", "Accept": b"application/json"})
            if self._inner.stale(signed, answer) is None or last:
                break
        token = answer.headers.get(self._header, "")
        try:
            header_value(token)
        except BadSecret:
            token = ""
        if token.lower() in ("", "required", "fetch"):
            raise NotAccepted(f"GET {self._url} gives no {self._header}: {answer.words}")
        return Fetched(token)
