"""How a target knows us: a module a kind, behind one small interface (`signing.py`)."""

from sinks.rest.auth.csrf import CsrfToken
from sinks.rest.auth.fixed import Fixed
from sinks.rest.auth.oauth2 import ClientCredentials
from sinks.rest.auth.options import AuthOptions, CsrfOptions, Hmac, OAuth2, Session
from sinks.rest.auth.session import LoggedIn
from sinks.rest.auth.signature import Signature
from sinks.rest.auth.signing import NoAuth, Signing


def signing(auth: AuthOptions | None, csrf: CsrfOptions | None, base_url: str) -> Signing:
    """What signs our requests. Asks nobody yet. Raises `OSError` for a secret that cannot be read, `BadSecret` for one
    that cannot be sent."""
    inner = _of_kind(auth, base_url)
    return inner if csrf is None else CsrfToken(csrf, inner, base_url)


def _of_kind(auth: AuthOptions | None, base_url: str) -> Signing:
    match auth:
        case None:
            return NoAuth()
        case OAuth2():
            return ClientCredentials(auth)
        case Session():
            return LoggedIn(auth, base_url)
        case Hmac():
            return Signature(auth)
        case _:
            return Fixed(auth)
