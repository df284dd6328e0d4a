"""OAuth 2: a token by client credentials (RFC 6749, section 4.4)."""

from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus, urlencode

from sinks.kit.answer import Answer
from sinks.rest.auth.options import OAuth2, origin
from sinks.rest.auth.signing import Ask, NotAccepted, Outgoing, Signed
from sinks.rest.auth.token import Fetched, Token
from topology.endpoint import BadSecret, header_value

_WORDS_MAX = 200


class ClientCredentials:
    """Carries a token that it fetches when there is need of one."""

    def __init__(self, options: OAuth2) -> None:
        """Raises `OSError`, `BadSecret`."""
        self._options = options
        options.value()
        self._token = Token(self._fetch)

    async def sign(self, request: Outgoing, ask: Ask) -> Signed:
        token = await self._token.get(ask)
        return Signed({"Authorization": b"Bearer " + token.encode("latin-1")}, token=token)

    def stale(self, signed: Signed, answer: Answer) -> str | None:
        if answer.status != 401:
            self._token.accepted(signed.token)
            return None
        self._token.refused(signed.token)
        return "a token that was just fetched is refused; check scope and rights"

    async def _fetch(self, ask: Ask) -> Fetched:
        options = self._options
        where = f"the token endpoint {origin(options.token_url)}"
        form = {"grant_type": "client_credentials"} | ({"scope": options.scope} if options.scope else {}) | options.more
        headers = {"Content-Type": b"application/x-www-form-urlencoded", "Accept": b"application/json"}
        try:
            secret = options.value()
        except (OSError, BadSecret) as error:
            raise NotAccepted(f"the client's secret cannot be read: {error}") from error
        if options.client_auth == "post":
            form |= {"client_id": options.client_id, "client_secret": secret}
        else:
            pair = f"{quote_plus(options.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = b"Basic " + b64encode(pair.encode())
        answer = await ask(Outgoing("POST", options.token_url, urlencode(form).encode()), headers)
        body = answer.body[0] if answer.body and isinstance(answer.body[0], dict) else {}
        if answer.status != 200 or not isinstance(body.get("access_token"), str):
            raise NotAccepted(f"{where} gives none: {answer.status} {_words(body)}".rstrip())
        if str(body.get("token_type", "bearer")).lower() != "bearer":
            raise NotAccepted(f"{where} gives no bearer token")
        try:
            header_value(body["access_token"])
        except BadSecret:
            raise NotAccepted(f"{where} gives a token that no header can carry") from None
        return Fetched(body["access_token"], _seconds(body.get("expires_in")))


def _words(body: dict[str, Any]) -> str:
    """The standard's two members alone: whatever else it says might repeat what we sent."""
    said = (body.get(name) for name in ("error", "error_description"))
    return " ".join(" ".join(part.split()) for part in said if isinstance(part, str))[:_WORDS_MAX]


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < float("inf") else None
