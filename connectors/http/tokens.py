"""Who may post, and where: tokens are compared by their digests, all of them, in the same time."""

import base64
import binascii
import hashlib
import hmac
import math
import time
from collections.abc import Iterable
from typing import NamedTuple

from starlette.exceptions import HTTPException

from connectors.http.config import Token
from connectors.http.rate import Rate
from topology.endpoint import header_value
from topology.namespace.path import Path


class _Known(NamedTuple):
    digest: bytes
    prefix: Path
    rate: Rate | None


class Grant(NamedTuple):
    """What a token that was recognised allows: everything below `prefix`. `digest` tells it from others."""

    prefix: Path
    digest: bytes


class Tokens:
    def __init__(self, entries: Iterable[Token]) -> None:
        """Raises `OSError` for a file that cannot be read, `BadSecret` for a token that no header can carry."""
        self._known = [_known(entry) for entry in entries]

    def grant(self, authorization: str, password: bool = False) -> Grant:
        """What the header's token allows. Raises `HTTPException`: 401, and 429 for one that comes too often.

        `password`: a token may stand as the password of any user, as clients of InfluxDB 1 send it.
        """
        digest = _digest(_token(authorization, password))
        found: _Known | None = None
        for known in self._known:
            if hmac.compare_digest(digest, known.digest):
                found = known
        if found is None:
            words = "the token is missing or not known; send `Authorization: Bearer TOKEN`. Nothing was taken"
            raise HTTPException(401, words, {"www-authenticate": "Bearer"})
        if found.rate is not None and (wait_s := found.rate.wait_s(time.monotonic())):
            words = "this token posts more often than it may; nothing was taken, post it again"
            raise HTTPException(429, words, {"retry-after": str(math.ceil(wait_s))})
        return Grant(found.prefix, found.digest)


def _known(entry: Token) -> _Known:
    limit = entry.requests_per_s_max
    rate = None if limit is None else Rate(limit, time.monotonic())
    return _Known(_digest(header_value(entry.secret)), Path.parse(entry.prefix), rate)


def _token(authorization: str, password: bool) -> bytes:
    """The token of a header; empty, which no token is, without one."""
    scheme, _, given = authorization.partition(" ")
    given = given.strip()
    if scheme.lower() in ("bearer", "token"):
        return given.encode("latin-1", "replace")
    if password and scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
