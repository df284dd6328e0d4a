"""A login, and the session that follows from it."""

import json
from urllib.parse import urlencode

from sinks.kit.answer import Answer, Verdict, as_text, dig, judge
from sinks.kit.template import UnfitValue, fill
from sinks.rest.auth.options import Session
from sinks.rest.auth.signing import Ask, NotAccepted, Outgoing, Signed
from sinks.rest.auth.token import Fetched, Token
from topology.endpoint import BadSecret, header_value


class LoggedIn:
    """Logs in when there is need of it. Without a token it is the cookies by which the target knows us; the client that
    `ask` belongs to keeps them."""

    def __init__(self, options: Session, base_url: str) -> None:
        """Raises `OSError`, `BadSecret`."""
        self._options, self._url = options, base_url + options.url
        options.value()
        self._logins = 0
        self._token = Token(self._log_in)

    async def sign(self, request: Outgoing, ask: Ask) -> Signed:
        token = await self._token.get(ask)
        if self._options.token_field is None:
            return Signed(token=token)
        return Signed({self._options.header: (self._options.prefix + token).encode("latin-1")}, token=token)

    def stale(self, signed: Signed, answer: Answer) -> str | None:
        if not self._over(answer):
            self._token.accepted(signed.token)
            return None
        self._token.refused(signed.token)
        return "the session is over right after the login; check the user's rights"

    def _over(self, answer: Answer) -> bool:
        try:
            return fill(self._options.expired, answer.values) is True
        except UnfitValue:  # it speaks of what this answer does not have
            return answer.status == 401

    async def _log_in(self, ask: Ask) -> Fetched:
        options = self._options
        try:
            secret = options.value()
        except (OSError, BadSecret) as error:
            raise NotAccepted(f"the secret for the login cannot be read: {error}") from error
        body = fill(options.body, {"username": options.username, "secret": secret})
        kind, content = b"application/json", json.dumps(body).encode()
        if options.form:
            kind, content = b"application/x-www-form-urlencoded", urlencode(body).encode()
        answer = await ask(Outgoing("POST", self._url, content), {"Content-Type": kind})
        verdict, why = judge(answer, options.success, {})
        if verdict is not Verdict.DONE:
            words = why.replace(secret, "…") if secret else why
            raise NotAccepted(f"the login {self._url} is not accepted: {words}")
        if options.token_field is None:
            self._logins += 1
            return Fetched(f"login {self._logins}")
        token = as_text(dig(answer.body[0] if answer.body else None, options.token_field))
        try:
            header_value(token or "")
        except BadSecret:
            raise NotAccepted(f"the login {self._url} names no token in {options.token_field!r}") from None
        return Fetched(token or "")
