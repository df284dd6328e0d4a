"""Sessions: signed cookies that end by being idle, by age, by signing out and by a new password. Pure: the time is given."""

import hmac
import secrets
from collections import OrderedDict
from dataclasses import asdict, dataclass, replace

from itsdangerous import BadSignature, URLSafeSerializer

from uns.web.access.users import Users

COOKIE = "uns_session"
REMEMBERED_MAX = 20_000
RENEW_S = 60
"""A cookie is written anew when it was seen so long ago: not with every request."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a cookie says. Times: epoch, s."""

    id: str
    user: str
    """ "" : did not sign in, where nobody has to."""
    stamp: str
    """Of the user's password as the session began."""
    began_s: int
    seen_s: int


def begun(user: str, stamp: str, now_s: int) -> Session:
    return Session(secrets.token_urlsafe(18), user, stamp, now_s, now_s)


def fault(session: Session, users: Users, seen_s: int, now_s: int) -> str | None:
    """Why a session is over; None: it is not. `seen_s`: when it was used last, wherever."""
    if not users.users:
        return None if not session.user else "there are no users any more"
    user, limits = users.users.get(session.user), users.sessions
    if user is None:
        return "the user was removed" if session.user else "sign in"
    if not hmac.compare_digest(user.stamp.encode(), session.stamp.encode()):
        return "the password was changed"
    if user.lasting:
        return "the session is too old" if now_s - session.began_s > limits.lasting_days * 86_400 else None
    if now_s - session.began_s > limits.absolute_h * 3600:
        return "the session is too old"
    return "the session was idle for too long" if now_s - seen_s > limits.idle_min * 60 else None


class Seal:
    """Signs cookies by one secret key. What was signed with another key is no cookie."""

    def __init__(self, key: bytes) -> None:
        self._serializer = URLSafeSerializer(key, salt="session of the page")

    def cookie(self, session: Session) -> str:
        return str(self._serializer.dumps(asdict(session)))

    def session(self, cookie: str) -> Session | None:
        """None for what this key has not signed."""
        try:
            return Session(**self._serializer.loads(cookie))
        except (BadSignature, TypeError, ValueError):
            return None


class Known:
    """When sessions were used last, and which were signed out. Bounded: the one longest unused makes room, and then counts
    as its cookie says."""

    def __init__(self, signed_out: dict[str, int] | None = None) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()
        self.signed_out: dict[str, int] = dict(signed_out or {})
        """Session → when it was signed out; after the longest that one can last it is forgotten."""

    def seen_s(self, session: Session) -> int:
        return max(session.seen_s, self._seen.get(session.id, 0))

    def touch(self, session: Session, now_s: int) -> Session:
        """The session as used now."""
        self._seen[session.id] = now_s
        self._seen.move_to_end(session.id)
        if len(self._seen) > REMEMBERED_MAX:
            self._seen.popitem(last=False)
        return replace(session, seen_s=now_s) if now_s - session.seen_s >= RENEW_S else session

    def sign_out(self, session: Session, now_s: int, lasts_s: float) -> None:
        self.signed_out = {of: at for of, at in self.signed_out.items() if now_s - at <= lasts_s}
        self.signed_out[session.id] = now_s

    def is_out(self, session: Session) -> bool:
        return session.id in self.signed_out
